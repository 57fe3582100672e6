import {
  boolean,
  int64,
  integer,
  list,
  object,
  oneOfWords,
  string,
  stringMap,
  strings,
} from './databricks-schema-shapes.ts';
import { cluster, compute, legacyParams, library, pipelineParams, taskTypes } from './databricks-task-schema.ts';

/** In the order in which the service lists them. */
export const GIT_PROVIDERS = [
  'gitHub',
  'gitLab',
  'bitbucketCloud',
  'gitLabEnterpriseEdition',
  'bitbucketServer',
  'azureDevOpsServices',
  'gitHubEnterprise',
  'awsCodeCommit',
] as const;

export const TASK_TYPES: readonly string[] = Object.keys(taskTypes);
export const LEGACY_PARAMS: readonly string[] = Object.keys(legacyParams);

const performanceTarget = oneOfWords('STANDARD', 'PERFORMANCE_OPTIMIZED');
const queue = object({ enabled: boolean }, ['enabled']);

const emailNotifications = object({
  no_alert_for_skipped_runs: boolean,
  on_duration_warning_threshold_exceeded: strings,
  on_failure: strings,
  on_maintenance_complete: strings,
  on_maintenance_start: strings,
  on_start: strings,
  on_streaming_backlog_exceeded: strings,
  on_success: strings,
});

const webhooks = list(object({ id: string }, ['id']));
const webhookNotifications = object({
  on_duration_warning_threshold_exceeded: webhooks,
  on_failure: webhooks,
  on_maintenance_complete: webhooks,
  on_maintenance_start: webhooks,
  on_start: webhooks,
  on_streaming_backlog_exceeded: webhooks,
  on_success: webhooks,
});

const health = object({
  rules: list(
    object(
      {
        metric: oneOfWords(
          'RUN_DURATION_SECONDS',
          'STREAMING_BACKLOG_BYTES',
          'STREAMING_BACKLOG_FILES',
          'STREAMING_BACKLOG_RECORDS',
          'STREAMING_BACKLOG_SECONDS',
        ),
        op: oneOfWords('GREATER_THAN'),
        value: int64,
      },
      ['metric', 'op', 'value'],
    ),
  ),
});

// The provider is compared without regard to case and refused with its own words, so it is no enum here.
const gitSource = object(
  {
    git_url: string,
    git_provider: string,
    git_branch: string,
    git_commit: string,
    git_tag: string,
    git_snapshot: object({ used_commit: string }),
    job_source: object(
      {
        job_config_path: string,
        import_from_git_branch: string,
        dirty_state: oneOfWords('DISCONNECTED', 'NOT_SYNCED'),
      },
      ['job_config_path', 'import_from_git_branch'],
    ),
    sparse_checkout: object({ patterns: strings }),
  },
  ['git_url'],
);

const environments = list(
  object(
    {
      environment_key: string,
      spec: object({
        base_environment: string,
        client: string,
        dependencies: strings,
        environment_version: string,
        java_dependencies: strings,
        project_environment: string,
      }),
    },
    ['environment_key'],
  ),
);

const environmentVariables = list(
  object({ environment_variables_key: string, spec: object({ files: strings, variables: stringMap }) }, [
    'environment_variables_key',
  ]),
);

const submitTask = object(
  {
    ...taskTypes,
    task_key: { type: 'string', pattern: '^[\\w-]+$', maxLength: 100 },
    compute,
    depends_on: list(object({ task_key: string, outcome: string }, ['task_key'])),
    description: string,
    disable_auto_optimization: boolean,
    disabled: boolean,
    email_notifications: emailNotifications,
    environment_key: string,
    environment_variables_key: string,
    existing_cluster_id: string,
    health,
    libraries: list(library),
    max_retries: integer,
    min_retry_interval_millis: integer,
    new_cluster: cluster,
    notification_settings: object({
      alert_on_last_attempt: boolean,
      no_alert_for_canceled_runs: boolean,
      no_alert_for_skipped_runs: boolean,
    }),
    retry_on_timeout: boolean,
    run_if: oneOfWords(
      'ALL_DONE',
      'ALL_FAILED',
      'ALL_SUCCESS',
      'AT_LEAST_ONE_FAILED',
      'AT_LEAST_ONE_SUCCESS',
      'NONE_FAILED',
    ),
    timeout_seconds: integer,
    webhook_notifications: webhookNotifications,
  },
  ['task_key'],
);

const idempotencyToken = { type: 'string', maxLength: 64 };

/** The body of `POST /api/2.2/jobs/runs/submit` (https://docs.databricks.com/api/workspace/jobs/submit). */
export const submitRequest = object(
  {
    access_control_list: list(
      object({
        group_name: string,
        permission_level: oneOfWords('IS_OWNER', 'CAN_MANAGE', 'CAN_MANAGE_RUN', 'CAN_VIEW'),
        service_principal_name: string,
        user_name: string,
      }),
    ),
    budget_policy_id: string,
    duration_target: string,
    email_notifications: emailNotifications,
    environment_variables: environmentVariables,
    environments,
    git_source: gitSource,
    health,
    idempotency_token: idempotencyToken,
    notification_settings: object({ no_alert_for_canceled_runs: boolean, no_alert_for_skipped_runs: boolean }),
    performance_target: performanceTarget,
    queue,
    run_as: object({ group_name: string, service_principal_name: string, user_name: string }),
    run_name: string,
    tasks: { ...list(submitTask), minItems: 1 },
    timeout_seconds: integer,
    usage_policy_id: string,
    webhook_notifications: webhookNotifications,
  },
  ['tasks'],
);

/** The body of `POST /api/2.2/jobs/run-now` (https://docs.databricks.com/api/workspace/jobs/runnow). */
export const runNowRequest = object(
  {
    ...legacyParams,
    duration_target: string,
    idempotency_token: idempotencyToken,
    job_id: int64,
    job_parameters: stringMap,
    only: strings,
    performance_target: performanceTarget,
    pipeline_params: pipelineParams,
    queue,
  },
  ['job_id'],
);

/** The body of `POST /api/2.2/jobs/runs/cancel` (https://docs.databricks.com/api/workspace/jobs/cancelrun). */
export const cancelRequest = object({ run_id: int64 }, ['run_id']);
