"""The kit for several machines: files parse, and make the TF_CONFIG that training reads."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from cyclegan_tf import cli
from cyclegan_tf.devices import tf_config
from cyclegan_tf.train.plan import plan_training

KIT = Path(__file__).parents[2] / "export" / "cluster"


def exported(lines, **environment):
    """TF_CONFIG as shell lines export it, read as training reads it."""
    known = {"PATH": "/usr/bin:/bin", **environment}
    done = subprocess.run(
        ["sh", "-euc", f"{lines}\nsh -c 'printf %s \"$TF_CONFIG\"'"],
        env=known, cwd=KIT.parent.parent, capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    return tf_config.of_environment({"TF_CONFIG": done.stdout})


def marked(text):
    found = re.search(r"# begin TF_CONFIG\n(.*?)# end TF_CONFIG", text, re.DOTALL)
    return found[1]


def check_command(text):
    """The training command stands on its options alone."""
    words = re.search(r"python -m cyclegan_tf\.train (.*)", text)[1].split()
    assert plan_training(words).experiment.data.batch_size == 32


def test_the_script_counts_from_the_first_host():
    found = exported("TF_CONFIG=$(sh export/cluster/tf_config.sh 2 4000 a b c); export TF_CONFIG")
    assert (found.addresses, found.number) == (("a:4000", "b:4000", "c:4000"), 2)


def test_kubernetes_job_and_service_fit_each_other():
    service, job = yaml.safe_load_all((KIT / "kubernetes.yaml").read_text())
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert spec["completionMode"] == "Indexed"
    (container,) = pod["containers"]
    machines = container["env"][0]
    assert spec["completions"] == spec["parallelism"] == int(machines["value"]) == 4
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [cli.BAD_INPUT])
    assert (rule["onExitCodes"]["containerName"], pod["restartPolicy"]) == (
        container["name"],
        "Never",
    )
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"]["job-name"] == job["metadata"]["name"]
    assert pod["subdomain"] == service["metadata"]["name"]
    script = container["command"][-1]
    port, name = service["spec"]["ports"][0]["port"], job["metadata"]["name"]
    assert container["ports"][0]["containerPort"] == port
    for index in range(4):
        found = exported(marked(script), MACHINES="4", JOB_COMPLETION_INDEX=str(index))
        assert found.addresses == tuple(f"{name}-{i}.{pod['subdomain']}:{port}" for i in range(4))
        assert found.number == index
    check_command(script)
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_slurm_numbers_its_tasks():
    text = (KIT / "train.slurm").read_text()
    subprocess.run(["bash", "-n", KIT / "train.slurm"], check=True, timeout=20)
    assert re.search(r"#SBATCH --ntasks-per-node=1\n", text)
    for index in range(3):
        found = exported(marked(text), HOSTS="n1 n2 n3 ", PORT="20007", SLURM_PROCID=str(index))
        assert (found.addresses, found.number) == (("n1:20007", "n2:20007", "n3:20007"), index)
    check_command(text)


@pytest.mark.parametrize(
    ("status", "restarts", "ends", "again"),
    [
        (0, 0, 0, False),
        (1, 0, 1, True),
        (137, 39, 137, True),
        (1, 40, 1, False),
        (2, 0, 200, False),
    ],
)
def test_slurm_starts_again_what_may_go_on_and_no_mistake(tmp_path, status, restarts, ends, again):
    stubs = {
        "srun": 'shift; exec "$@"',
        "scontrol": 'if [ "$1" = show ]; then echo n1; else echo "$@"; fi',
        "python": f"exit {status}",
    }
    for name, lines in stubs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{lines}\n")
        (tmp_path / name).chmod(0o755)
    known = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NODELIST": "n1",
        "SLURM_PROCID": "0",
    }
    known["SLURM_RESTART_COUNT"] = str(restarts)
    done = subprocess.run(
        ["bash", KIT / "train.slurm"],
        env=known,
        cwd=KIT.parent.parent,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert (done.returncode, done.stdout, done.stderr) == (ends, "requeue 7\n" if again else "", "")
