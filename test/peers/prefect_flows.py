"""The flows that the peer tests run on a real Prefect.

`prefect_flows.py deploy WORK_POOL` deploys each of them from this folder and prints {deployment: id} as its last line.
"""

import json
import os
import signal
import sys
import time
from datetime import date
from pathlib import Path
from typing import Literal

from prefect import flow, get_run_logger, task
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
)
from prefect.flow_runs import pause_flow_run, suspend_flow_run


@task
def count_rows(rows: int) -> int:
    get_run_logger().info("counting in a task")
    return rows


@flow(name="daily report")
def daily_report(
    rows: int,
    region: Literal["eu", "us"] = "eu",
    day: date = date(2026, 11, 21),
    note: str | None = None,
) -> None:
    """Reports the rows of a day."""
    logger = get_run_logger()
    logger.debug("debugging")
    logger.info("rows=%s region=%s day=%s note=%s", rows, region, day.isoformat(), note)
    logger.info("GIT_SHA=%s", os.environ.get("GIT_SHA", "none"))
    logger.info("two\nlines")
    logger.warning("a warning")
    logger.error("an error that is only logged")
    counted = count_rows(rows)
    create_markdown_artifact(f"# Report\n\n{counted} rows", key="report", description="What was counted")
    create_table_artifact([{"region": region, "rows": counted}], key="regions")
    create_link_artifact("https://example.com/dashboard", link_text="Dashboard", key="dashboard")
    create_progress_artifact(100.0, key="progress")


@flow(name="failing")
def failing() -> None:
    get_run_logger().error("about to fail")
    raise ValueError("no rows for today")


@flow(name="crashing")
def crashing(by: Literal["signal", "exit"] = "signal") -> None:
    get_run_logger().warning("about to crash")
    if by == "signal":
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(3)


@flow(name="long")
def long(seconds: int = 600) -> None:
    logger = get_run_logger()
    for second in range(seconds):
        logger.info("second %s", second)
        time.sleep(1)


@flow(name="flaky", retries=1, retry_delay_seconds=3)
def flaky(marker: str) -> None:
    """Fails unless the marker exists, and makes it."""
    if not Path(marker).exists():
        Path(marker).touch()
        raise RuntimeError("the first try fails")
    get_run_logger().info("the second try works")


@flow(name="pausing")
def pausing(by: Literal["pause", "suspend"] = "pause") -> None:
    """Waits for somebody to resume it: in its process, or without one."""
    if by == "pause":
        pause_flow_run(timeout=120, poll_interval=1)
    else:
        suspend_flow_run(timeout=120)
    get_run_logger().info("resumed")


DEPLOYMENTS = {
    "every day": daily_report,
    "failing": failing,
    "crashing": crashing,
    "long": long,
    "flaky": flaky,
    "pausing": pausing,
}


def deploy(work_pool: str) -> None:
    here = Path(__file__)
    ids = {}
    for name, deployed in DEPLOYMENTS.items():
        source = deployed.from_source(source=str(here.parent), entrypoint=f"{here.name}:{deployed.fn.__name__}")
        ids[f"{deployed.name}/{name}"] = str(
            source.deploy(
                name=name,
                work_pool_name=work_pool,
                tags=["peer"],
                version="1",
                print_next_steps=False,
            )
        )
    print(json.dumps(ids))


if __name__ == "__main__":
    deploy(sys.argv[2])
