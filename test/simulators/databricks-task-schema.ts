import {
  anyObject,
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

const source = oneOfWords('WORKSPACE', 'GIT');
const accelerator = oneOfWords('GPU_1xA10', 'GPU_1xH100', 'GPU_8xB300', 'GPU_8xH100');
const destination = object({ destination_id: string, user_name: string });

export const pipelineParams = object({
  full_refresh: boolean,
  full_refresh_selection: strings,
  refresh_flow_selection: strings,
  refresh_selection: strings,
  reset_checkpoint_selection: strings,
});

/** Parameters by kind of task, which job parameters replace and may not be mixed with. */
export const legacyParams = {
  dbt_commands: strings,
  jar_params: strings,
  notebook_params: stringMap,
  python_named_params: stringMap,
  python_params: strings,
  spark_submit_params: strings,
  sql_params: stringMap,
};

/** What a task can run: a task has exactly one of these fields (https://docs.databricks.com/api/workspace/jobs/submit). */
export const taskTypes = {
  ai_runtime_task: object(
    {
      experiment: string,
      deployments: {
        ...list(
          object(
            {
              compute: object(
                { accelerator_type: accelerator, accelerator_count: integer, provisioned_capacity_id: string },
                ['accelerator_type', 'accelerator_count'],
              ),
              command_path: string,
              name: string,
            },
            ['compute'],
          ),
        ),
        minItems: 1,
        maxItems: 1,
      },
      code_source_path: string,
      docker_image_url: string,
      mlflow_artifact_location: string,
      mlflow_experiment_directory: string,
      mlflow_run: string,
      priority_class: oneOfWords('BEST_EFFORT', 'CRITICAL', 'NORMAL'),
      unity_catalog_image_path: string,
    },
    ['experiment', 'deployments'],
  ),
  alert_task: object({
    alert_id: string,
    parameters: stringMap,
    subscribers: list(destination),
    warehouse_id: string,
    workspace_path: string,
  }),
  clean_rooms_notebook_task: object(
    { clean_room_name: string, notebook_name: string, etag: string, notebook_base_parameters: stringMap },
    ['clean_room_name', 'notebook_name'],
  ),
  condition_task: object(
    {
      op: oneOfWords(
        'EQUAL_TO',
        'GREATER_THAN',
        'GREATER_THAN_OR_EQUAL',
        'LESS_THAN',
        'LESS_THAN_OR_EQUAL',
        'NOT_EQUAL',
      ),
      left: string,
      right: string,
    },
    ['op', 'left', 'right'],
  ),
  dashboard_task: object({ dashboard_id: string, filters: stringMap, subscription: anyObject, warehouse_id: string }),
  dbt_cloud_task: object({ connection_resource_name: string, dbt_cloud_job_id: int64 }),
  dbt_platform_task: object({ connection_resource_name: string, dbt_platform_job_id: string }),
  dbt_task: object(
    {
      commands: strings,
      catalog: string,
      profiles_directory: string,
      project_directory: string,
      schema: string,
      source,
      warehouse_id: string,
    },
    ['commands'],
  ),
  for_each_task: object({ inputs: string, task: anyObject, concurrency: integer }, ['inputs', 'task']),
  gen_ai_compute_task: object(
    {
      dl_runtime_image: string,
      command: string,
      compute: object({ num_gpus: integer, gpu_node_pool_id: string, gpu_type: string }, ['num_gpus']),
      mlflow_experiment_name: string,
      source,
      training_script_path: string,
      yaml_parameters: string,
      yaml_parameters_file_path: string,
    },
    ['dl_runtime_image'],
  ),
  notebook_task: object({ notebook_path: string, base_parameters: stringMap, source, warehouse_id: string }, [
    'notebook_path',
  ]),
  pipeline_task: object(
    {
      pipeline_id: string,
      full_refresh: boolean,
      full_refresh_selection: strings,
      parameters: stringMap,
      refresh_flow_selection: strings,
      refresh_selection: strings,
      reset_checkpoint_selection: strings,
    },
    ['pipeline_id'],
  ),
  power_bi_task: object({
    connection_resource_name: string,
    power_bi_model: anyObject,
    refresh_after_update: boolean,
    tables: list(anyObject),
    warehouse_id: string,
  }),
  python_operator_task: object({ main: string, parameters: list(object({ name: string, value: string })) }),
  python_wheel_task: object(
    { package_name: string, entry_point: string, named_parameters: stringMap, parameters: strings },
    ['package_name', 'entry_point'],
  ),
  run_job_task: object({ job_id: int64, job_parameters: stringMap, pipeline_params: pipelineParams, ...legacyParams }, [
    'job_id',
  ]),
  spark_jar_task: object({ jar_uri: string, main_class_name: string, parameters: strings, run_as_repl: boolean }),
  spark_python_task: object({ python_file: string, parameters: strings, source }, ['python_file']),
  spark_submit_task: object({ parameters: strings }),
  sql_task: object(
    {
      warehouse_id: string,
      alert: anyObject,
      dashboard: anyObject,
      file: object({ path: string, source }, ['path']),
      parameters: stringMap,
      query: object({ query_id: string }, ['query_id']),
    },
    ['warehouse_id'],
  ),
};

export const compute = object({ hardware_accelerator: accelerator });

export const library = object({
  cran: object({ package: string, repo: string }, ['package']),
  egg: string,
  jar: string,
  maven: object({ coordinates: string, exclusions: strings, repo: string }, ['coordinates']),
  pypi: object({ package: string, repo: string }, ['package']),
  requirements: string,
  whl: string,
});

/** A cluster's own fields; what belongs to one cloud is left unchecked (https://docs.databricks.com/api/workspace/clusters/create). */
export const cluster = object({
  apply_policy_default_values: boolean,
  autoscale: object({ max_workers: integer, min_workers: integer }),
  autotermination_minutes: integer,
  aws_attributes: anyObject,
  azure_attributes: anyObject,
  cluster_log_conf: anyObject,
  cluster_name: string,
  custom_tags: stringMap,
  data_security_mode: oneOfWords(
    'DATA_SECURITY_MODE_AUTO',
    'DATA_SECURITY_MODE_DEDICATED',
    'DATA_SECURITY_MODE_STANDARD',
    'LEGACY_PASSTHROUGH',
    'LEGACY_SINGLE_USER',
    'LEGACY_SINGLE_USER_STANDARD',
    'LEGACY_TABLE_ACL',
    'NONE',
    'SINGLE_USER',
    'USER_ISOLATION',
  ),
  dependency_mode: string,
  docker_image: object({ basic_auth: object({ password: string, username: string }), url: string }),
  driver_instance_pool_id: string,
  driver_node_type_flexibility: anyObject,
  driver_node_type_id: string,
  enable_elastic_disk: boolean,
  enable_local_disk_encryption: boolean,
  gcp_attributes: anyObject,
  init_scripts: list(anyObject),
  instance_pool_id: string,
  is_single_node: boolean,
  kind: string,
  node_type_id: string,
  num_workers: integer,
  policy_id: string,
  remote_disk_throughput: integer,
  runtime_engine: oneOfWords('NULL', 'PHOTON', 'STANDARD'),
  single_user_name: string,
  spark_conf: stringMap,
  spark_env_vars: stringMap,
  spark_version: string,
  ssh_public_keys: strings,
  total_initial_remote_disk_size: integer,
  use_ml_runtime: boolean,
  worker_node_type_flexibility: anyObject,
  workload_type: anyObject,
});
