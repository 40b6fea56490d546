"""What failed between here and a broker, as one sentence with its remedy.

kafka-python names what a broker answered, and hides what kept it from answering behind
"unable to bootstrap" and "timeout": for those a `probe.Cause` tells the rest. The functions here
are pure; the table of sentences stands in docs/kafka-edge.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from vibro.log.kafka.probe import Cause
from vibro.log.kafka.settings import KafkaSection
from vibro.log.port import TransportError

SET_UP = "run 'vibro cloud setup'"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a sentence may need to say.

    Attributes
    ----------
    doing : str
        ``write`` or ``read``.
    topic : str
        Empty where none is concerned.
    principal : str
        Name in our certificate; empty if there is none.
    validity : str
        What is wrong with our own certificate today, e.g. ``expired on 2026-01-31``; else empty.
    waited_s : float
        How long nothing was acknowledged.
    """

    doing: str
    topic: str = ""
    principal: str = ""
    validity: str = ""
    waited_s: float = 0.0


def explained(
    error: BaseException, cause: Cause | None, settings: KafkaSection, about: Circumstances
) -> TransportError:
    """Return what is raised instead of an error of kafka-python.

    Parameters
    ----------
    error : Exception
        Of kafka-python.
    cause : Cause or None
        What a connection of our own found out; None where it found nothing wrong.
    settings : KafkaSection
    about : Circumstances
    """
    if answer := _ANSWERS.get(type(error).__name__):
        return _error(answer, settings, about)
    if cause is not None:
        return told(cause, settings, about)
    if getattr(error, "retriable", False) or isinstance(error, TimeoutError):
        return _error(_SLOW, settings, about)
    words = " ".join(str(error).split()) or type(error).__name__
    return _error(("refused", "<server> refuses: <said>"), settings, about, said=words)


def told(cause: Cause, settings: KafkaSection, about: Circumstances) -> TransportError:
    """Return the sentence for what a probe found."""
    server = f"broker {cause.server}"
    if cause.advertised_by:
        server += f" (so {cause.advertised_by} says: its advertised.listeners)"
    said = cause.said if cause.kind == "files" else f" ({cause.said})" if cause.said else ""
    return _error(_CAUSES[cause.kind], settings, about, server=server, said=said)


def needs_probe(error: BaseException) -> bool:
    """Whether an error of kafka-python does not say what happened."""
    return type(error).__name__ not in _ANSWERS


def _error(
    answer: tuple[str, str],
    settings: KafkaSection,
    about: Circumstances,
    *,
    server: str = "",
    said: str = "",
) -> TransportError:
    state, sentence = answer
    values = {
        "<server>": server or f"broker {settings.servers[0]}",
        "<topic>": about.topic or "of this site",
        "<doing>": about.doing,
        "<who>": f" as '{about.principal}'" if about.principal else "",
        "<waited>": f"{about.waited_s:.0f} s",
        "<security>": settings.security,
        "<ca>": settings.ca_file,
        "<cert>": settings.cert_file,
        "<renew>": _renewal(about),
        # Last: others' words are not looked through.
        "<said>": said,
    }
    for name, value in values.items():
        sentence = sentence.replace(name, value)
    return TransportError(sentence, state)


def _renewal(about: Circumstances) -> str:
    if about.validity.startswith("not valid"):
        return f"it is {about.validity}: set this machine's clock"
    if about.validity:
        return f"it has {about.validity}: renew it ('vibro edge enroll', 'vibro cloud sign')"
    return (
        "it was signed by an authority that the broker does not trust, or withdrawn: "
        "enrol again ('vibro edge enroll', 'vibro cloud sign')"
    )


_MISSING = ("refused", f"topic <topic> does not exist: {SET_UP}")
_DENIED = (
    "refused",
    f"not allowed to <doing> topic <topic><who>: {SET_UP}, or this node was removed from the plant",
)
_DISK = ("full", "<server> cannot write to its disk: it is full or failing; make room there")
_REPLICAS = (
    "full",
    "<server> has too few replicas in sync for topic <topic>: other brokers are down, or full",
)
_TOO_OLD = ("refused", "<server> is too old: Vibro needs Kafka 2.8 or newer")

_SLOW = (
    "slow",
    "<server> answers, but did not acknowledge within <waited>: it is overloaded, or the link is "
    "too slow for kafka.request_timeout_s",
)

_ANSWERS: dict[str, tuple[str, str]] = {
    "TopicAuthorizationFailedError": _DENIED,
    "ClusterAuthorizationFailedError": _DENIED,
    "UnknownTopicOrPartitionError": _MISSING,
    "InvalidTopicError": _MISSING,
    "KafkaStorageError": _DISK,
    "LogDirNotFoundError": _DISK,
    "NotEnoughReplicasError": _REPLICAS,
    "NotEnoughReplicasAfterAppendError": _REPLICAS,
    "UnsupportedVersionError": _TOO_OLD,
    "IncompatibleBrokerVersion": _TOO_OLD,
    "UnsupportedCompressionTypeError": _TOO_OLD,
    "ThrottlingQuotaExceededError": (
        "slow", "<server> holds this node to a quota: raise it, or send less",
    ),
}  # fmt: skip
"""States and sentences for what a broker answered, by name: kafka-python need not be loaded."""

_CAUSES: dict[str, tuple[str, str]] = {
    "files": ("refused", "<said>"),
    "unresolved": (
        "away", "<server>: its name is not known<said>; check kafka.servers and this machine's DNS",
    ),
    "nobody": (
        "away",
        "<server>: nothing listens there (connection refused); the broker is down, or "
        "kafka.servers names another port than its",
    ),
    "unreachable": ("away", "<server>: cannot be reached<said>; check the network in between"),
    "silent": (
        "away",
        "<server>: nothing answers there; the network is down, or a firewall swallows the "
        "connection: this one outbound port must be open",
    ),
    "hangs": ("away", "<server>: takes connections and answers nothing; it hangs or is overloaded"),
    "closes": (
        "refused",
        "<server>: closes the connection without an answer<said>; it is no Kafka broker, it is "
        "just starting, or its port is not for kafka.security = '<security>'",
    ),
    "speaks_tls": (
        "refused",
        "<server>: speaks TLS, and kafka.security = 'plaintext'; set kafka.security = 'tls' "
        "with ca_file, cert_file and key_file",
    ),
    "no_tls": (
        "refused",
        "<server>: does not speak TLS; kafka.servers must name the broker's TLS port, or a "
        "proxy in between takes the connection apart",
    ),
    "untrusted": (
        "refused",
        "<server>: its certificate is not to be trusted<said>; kafka.ca_file = '<ca>' must hold "
        "the authority that signed it, and this machine's clock must be right",
    ),
    "misnamed": (
        "refused",
        "<server>: its certificate is made out to another name<said>; kafka.servers must use the "
        "name that stands in it",
    ),
    "refuses_us": (
        "refused",
        "<server>: refuses our certificate kafka.cert_file = '<cert>'<said>; <renew>",
    ),
    "tls": ("refused", "<server>: TLS fails<said>; see the broker's own log"),
    "topic_missing": _MISSING,
    "topic_denied": _DENIED,
}  # fmt: skip
