"""``--hypothesis-profile=fuzz`` (``make fuzz``) looks for longer than ``make test`` has time for."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fuzz",
    max_examples=3000,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    print_blob=True,
)
