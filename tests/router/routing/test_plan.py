"""The redirect plan follows from the site's configuration alone."""

from router.config.model import Asterisk
from router.config.site import Channel, NumberSlot, Site, Step
from router.routing.plan import PlannedStep, plan_for

ASTERISK = Asterisk(dial="PJSIP/{number}@carrier")


def site(**changes: object) -> Site:
    values: dict[str, object] = {
        "key": "shop",
        "name": "Shop",
        "main_number": "+442079460000",
        "origins": ("https://shop.example",),
        **changes,
    }
    return Site.model_validate(values)


def test_without_steps_calls_go_to_the_main_number() -> None:
    assert plan_for(site(), ASTERISK).steps == (PlannedStep("PJSIP/+442079460000@carrier", 20),)


def test_the_trunk_may_want_digits_alone() -> None:
    plan = plan_for(site(), Asterisk(dial="PJSIP/{digits}@carrier"))
    assert plan.steps[0].dial == "PJSIP/442079460000@carrier"


def test_simultaneous_targets_share_a_dial_and_sequential_ones_follow_one_another() -> None:
    steps = (
        Step(targets=("PJSIP/agent1", "PJSIP/agent2"), ring_seconds=10),
        Step(targets=("PJSIP/agent3", "+442079460001"), ring_seconds=15, strategy="sequential"),
    )
    assert plan_for(site(step=steps), ASTERISK).steps == (
        PlannedStep("PJSIP/agent1&PJSIP/agent2", 10),
        PlannedStep("PJSIP/agent3", 15),
        PlannedStep("PJSIP/+442079460001@carrier", 15),
    )


def test_a_slot_has_its_own_plan_and_main_number() -> None:
    slots = (
        NumberSlot(name="leeds", main_number="+441134960000"),
        NumberSlot(name="bristol", main_number="+441174960000", step=(Step(targets=("PJSIP/agent2",)),)),
    )
    leeds = plan_for(site(number_slot=slots), ASTERISK, slot="leeds")
    bristol = plan_for(site(number_slot=slots), ASTERISK, slot="bristol")
    assert [step.dial for step in leeds.steps] == ["PJSIP/+441134960000@carrier"]
    assert [step.dial for step in bristol.steps] == ["PJSIP/agent2"]


def test_channels_whisper_their_own_prompt() -> None:
    channels = (Channel(name="Google Ads", whisper="google"), Channel(name="Newspaper"))
    shop = site(channel=channels, whisper="whisper")
    assert plan_for(shop, ASTERISK, channel="Google Ads").whisper == "google"
    assert plan_for(shop, ASTERISK, channel="Newspaper").whisper == "whisper"


def test_recording_announcement_and_overflow() -> None:
    plan = plan_for(site(record="stereo", announcement="notice"), ASTERISK)
    assert (plan.record, plan.announce, plan.overflow) == ("stereo", "notice", "busy")
    plan = plan_for(site(overflow="announcement", overflow_prompt="sorry"), ASTERISK)
    assert (plan.record, plan.overflow) == ("", "announce:sorry")
