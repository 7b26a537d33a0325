"""What is counted, as Prometheus reads it."""

from prometheus_client.parser import text_string_to_metric_families

from cyclegan_tf.serve.models.metrics import CONTENT_TYPE, Metrics


def samples(metrics):
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def test_everything_counted_is_reported():
    metrics = Metrics()
    waiting = [3]
    metrics.watch_queue(lambda: waiting[0], lambda: 1)
    metrics.count_answer("rest", "m", "1", "200")
    metrics.count_answer("rest", "m", "1", "200")
    metrics.count_answer("grpc", "", "", "NOT_FOUND")
    metrics.count_images("rest", "m", 1, 5, 0.3)
    metrics.record_load_time("m", 1, 2.5)
    found = samples(metrics)
    assert found["cyclegan_tf_requests_total", "1", "200", "m", "rest"] == 2
    assert found["cyclegan_tf_requests_total", "", "", "NOT_FOUND", "grpc"] == 1
    assert found["cyclegan_tf_pictures_total", "1", "m"] == 5
    assert found["cyclegan_tf_model_load_seconds", "1", "m"] == 2.5
    assert found[("cyclegan_tf_queue_length",)] == 3
    assert found[("cyclegan_tf_in_flight",)] == 1
    assert found["cyclegan_tf_predict_seconds_count", "1", "m", "rest"] == 1
    assert found["cyclegan_tf_predict_seconds_bucket", "0.5", "1", "m", "rest"] == 1
    assert found["cyclegan_tf_predict_seconds_bucket", "0.25", "1", "m", "rest"] == 0
    assert found[("process_resident_memory_bytes",)] > 1e6
    waiting[0] = 0
    assert samples(metrics)[("cyclegan_tf_queue_length",)] == 0


def test_two_servers_in_one_process_do_not_mix():
    first, second = Metrics(), Metrics()
    first.count_answer("rest", "m", "1", "200")
    assert not any(key[0] == "cyclegan_tf_requests_total" for key in samples(second))
    assert CONTENT_TYPE.startswith("text/plain")
