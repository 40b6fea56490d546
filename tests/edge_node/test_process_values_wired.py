"""The control system's speed in the blocks of a live source: all real but the sensor."""

from __future__ import annotations

import threading
import time

import numpy as np

from edge_node.config import load
from edge_node.sources import open_source
from edge_node.sources.port import Gap
from tests.edge_node.devices import MACHINE
from tests.edge_node.test_process_values import loop, modbus  # noqa: F401 (fixtures)
from tests.edge_node.test_source_mqtt import TOPIC, BrokerThread, connected
from vibro.cli.nodes import check_node

DEADLINE_S = 20.0


def written(folder, source: str, port: int):
    path = folder / "node.toml"
    path.write_text(
        'register = "assets.csv"\n[node]\nid = "n"\nsite = "harbour"\nmachine = "motor-1"\n'
        f'{source}\n[process_values]\nkind = "modbus"\naddress = "127.0.0.1:{port}"\n'
        'rpm = "holding 100 float32"\npoll_s = 0.05\n'
    )
    return path


def test_blocks_of_a_live_source_have_the_control_systems_speed(modbus, tmp_path):  # noqa: F811
    broker, (_, port) = BrokerThread(), modbus()
    source = (
        f'[source]\nkind = "mqtt"\n[source.mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n'
        f'topic = "{TOPIC}"\nsequence = "frame"\nrate_hz = 1000\n'
    )
    live = open_source(load(written(tmp_path, source, port)), MACHINE, 0)
    live.start(threading.Event(), None)
    deadline, stream, speeds = time.monotonic() + DEADLINE_S, None, set()
    with connected(broker) as send:
        for first in range(0, 10**6, 50):
            send(np.uint32(first).tobytes() + bytes(200))
            stream = stream or live.next_epoch()
            while stream is not None and (block := stream.read()) is not None:
                if not isinstance(block, Gap):  # nothing paces the sender: it may outrun the node
                    speeds.add(block.rpm)
            if 1480.5 in speeds or time.monotonic() > deadline:
                break
    assert 1480.5 in speeds
    assert stream.facts()["acquisition"]["process_values"]["rpm"] == 1480.5
    live.stop()
    broker.stop()


def test_a_recording_takes_no_speed_of_today(tmp_path):
    told = check_node(written(tmp_path, '[source]\nkind = "simulator"\n', 502)).mistakes
    assert any("process_values.kind = 'modbus': source.kind = 'simulator' is a" in t for t in told)
