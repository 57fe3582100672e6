"""Drives the genuine databricks-sdk: one scenario named on the command line, its outcome as JSON on stdout.

Authentication comes from the environment (https://databricks-sdk-py.readthedocs.io/en/latest/authentication.html).
"""

import dataclasses
import enum
import inspect
import json
import sys
import typing

from databricks.sdk import WorkspaceClient
from databricks.sdk.service import compute, jobs, pipelines

GIT = jobs.GitSource(
    git_url="https://bitbucket.org/acme/train",
    git_provider=jobs.GitProvider.BITBUCKET_CLOUD,
    git_branch="main",
)


def wheel(key, **more):
    task = jobs.PythonWheelTask(package_name="train", entry_point="main", parameters=["--epochs", "1"])
    return jobs.SubmitTask(task_key=key, environment_key="ml", python_wheel_task=task, **more)


def submit(client, tasks, **more):
    environment = compute.Environment(environment_version="4", dependencies=["/Volumes/ml/ci/train.whl"])
    return client.jobs.submit(
        run_name="peer",
        tasks=tasks,
        environments=[jobs.JobEnvironment(environment_key="ml", spec=environment)],
        queue=jobs.QueueSettings(enabled=True),
        access_control_list=[
            jobs.JobAccessControlRequest(group_name="ml", permission_level=jobs.JobPermissionLevel.CAN_VIEW)
        ],
        **more,
    )


def unknown(raw, typed, path=""):
    """The fields of an answer that got lost when the SDK read it; it leaves out empty ones itself."""
    if isinstance(raw, list):
        return [each for index, item in enumerate(raw) for each in unknown(item, typed[index], f"{path}[{index}]")]
    if not isinstance(raw, dict):
        return []
    lost = [f"{path}.{name}" for name, value in raw.items() if name not in typed and value not in ({}, [])]
    return lost + [each for name in raw if name in typed for each in unknown(raw[name], typed[name], f"{path}.{name}")]


def read_raw(client, path, run_id, kind):
    raw = client.api_client.do("GET", path, query={"run_id": run_id})
    return unknown(raw, kind.from_dict(raw).as_dict())


def succeed():
    client = WorkspaceClient()
    notebook = jobs.SubmitTask(task_key="note", notebook_task=jobs.NotebookTask(notebook_path="note"))
    wait = submit(client, [wheel("main"), notebook], git_source=GIT, idempotency_token="peer-1")
    again = submit(client, [wheel("main")], idempotency_token="peer-1")
    run = wait.result()
    outputs = [client.jobs.get_run_output(task.run_id).as_dict() for task in run.tasks]
    listed = [each.run_id for each in client.jobs.list_runs(completed_only=True)]
    same = [int(again.run_id) == int(wait.run_id) == run.run_id, listed == [run.run_id]]
    return {"run": run.as_dict(), "outputs": outputs, "same": same}


def unknown_fields():
    client = WorkspaceClient()
    run = submit(client, [wheel("main")], git_source=GIT).result()
    output = read_raw(client, "/api/2.2/jobs/runs/get-output", run.tasks[0].run_id, jobs.RunOutput)
    return read_raw(client, "/api/2.2/jobs/runs/get", run.run_id, jobs.Run) + output


def fail():
    client = WorkspaceClient()
    wait = submit(client, [wheel("main"), wheel("report", depends_on=[jobs.TaskDependency(task_key="main")])])
    try:
        wait.result()
    except Exception as error:
        run = client.jobs.get_run(wait.run_id)
        output = client.jobs.get_run_output(run.tasks[0].run_id)
        return {"error": str(error), "run": run.as_dict(), "output": output.as_dict()}
    return None


def cancel():
    client = WorkspaceClient()
    wait = submit(client, [wheel("main")])
    return {"run": client.jobs.cancel_run_and_wait(wait.run_id).as_dict()}


def run_job():
    client = WorkspaceClient()
    job = client.jobs.get(int(sys.argv[2]))
    run = client.jobs.run_now(job.job_id, job_parameters={"epochs": "9"}).result()
    return {"job": job.as_dict(), "run": run.as_dict()}


def many_tasks():
    client = WorkspaceClient()
    run = submit(client, [wheel(f"t{index}") for index in range(120)]).result()
    return {"tasks": [task.task_key for task in run.tasks]}


def errors():
    client = WorkspaceClient()
    found = []
    calls = [
        lambda: client.jobs.get_run(1),
        lambda: submit(client, [jobs.SubmitTask(task_key="empty")]),
        lambda: client.jobs.get_run_output(submit(client, [wheel("main")]).run_id),
        lambda: client.jobs.run_now(1),
    ]
    for call in calls:
        try:
            call()
        except Exception as error:
            found.append([type(error).__name__, getattr(error, "error_code", None), str(error)])
    return found


def authenticate():
    try:
        WorkspaceClient().jobs.get_run(1)
    except Exception as error:
        return {"type": type(error).__name__, "message": str(error)}
    return None


def schema():
    """The request bodies as the SDK types them: fields, enumerations, lists and maps."""
    names = dict(vars(typing))
    for module in (pipelines, compute, jobs):
        names.update({name: value for name, value in vars(module).items() if isinstance(value, type)})
    names.update(compute=compute, pipelines=pipelines)

    def shape(hint, seen=()):
        hint = typing.get_type_hints(type("Holder", (), {"__annotations__": {"value": hint}}), names)["value"]
        arguments = [each for each in typing.get_args(hint) if each is not type(None)]
        if typing.get_origin(hint) is typing.Union:
            return shape(arguments[0], seen)
        if typing.get_origin(hint) is list:
            return {"items": shape(arguments[0], seen)}
        if typing.get_origin(hint) is dict:
            return {"map": True}
        if inspect.isclass(hint) and issubclass(hint, enum.Enum):
            return {"enum": sorted(member.value for member in hint)}
        if dataclasses.is_dataclass(hint):
            if hint in seen:
                return {}
            return {"fields": {each.name: shape(each.type, (*seen, hint)) for each in dataclasses.fields(hint)}}
        return {"scalar": hint.__name__}

    def body(method):
        parameters = list(inspect.signature(method).parameters.values())[1:]
        return {"fields": {each.name: shape(each.annotation) for each in parameters}}

    return {"submit": body(jobs.JobsAPI.submit), "run_now": body(jobs.JobsAPI.run_now)}


print(json.dumps(globals()[sys.argv[1]]()))
