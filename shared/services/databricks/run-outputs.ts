/** Outputs of a finished Databricks run, however it was started. */
export const runOutputs = {
  'job-id': "the id of the run's job",
  'run-name': "the run's name",
  'start-time': 'when it began (RFC 3339)',
  'end-time': 'when it ended',
  'duration-seconds': 'how long it took, in seconds',
  'git-commit': 'the commit that Databricks checked out, where the run has a `git_source`',
  'notebook-result': 'what the notebook gave to `dbutils.notebook.exit`, where exactly one task did',
  tasks:
    'JSON: for each task `task_key`, `run_id`, `state`, `phase`, `url`, `duration_seconds`, and where it has them `error` and `result`',
};
