import type { Outputs } from '../../host/host.ts';
import { defined, type Json, mapMembers, numberAt, textAt } from '../../json.ts';
import { plainLine } from '../../remote-text.ts';

/** What a flow run puts out when it is over. */
export const flowRunOutputs = {
  'run-name': "The run's name.",
  'deployment-id': "The deployment's id.",
  'deployment-version': 'The version of the deployment that ran, where it has one.',
  'work-pool': 'The work pool, where the deployment has one.',
  'started-at': 'When the run began.',
  'ended-at': 'When it ended.',
  'duration-seconds': 'How long it ran, all retries together.',
  'run-count': 'How many times it was begun.',
  artifacts:
    'What the run published, as a JSON list of `key`, `type`, `description` and (where there is room, not of images) `data`.',
};

/** The outputs that the run itself tells. Its parameters are not among them: they may be confidential. */
export function flowRunFacts(run: Json): Outputs {
  const seconds = numberAt(run, 'total_run_time');
  const facts = {
    'run-name': textAt(run, 'name'),
    'deployment-id': textAt(run, 'deployment_id'),
    'deployment-version': textAt(run, 'deployment_version'),
    'work-pool': textAt(run, 'work_pool_name'),
    'started-at': textAt(run, 'start_time'),
    'ended-at': textAt(run, 'end_time'),
    'duration-seconds': seconds === undefined ? undefined : String(Math.round(seconds)),
    'run-count': textAt(run, 'run_count'),
  };
  return mapMembers(defined(facts), (value) => plainLine(value, 500));
}
