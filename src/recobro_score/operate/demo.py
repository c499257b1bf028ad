"""The demo: a simulated portfolio, a training, a night, and what was decided, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recobro_score.calendars import US_PER_DAY, as_datetime
from recobro_score.operate.batch import Night, TrainingJob, run_night, run_training
from recobro_score.operate.config import RunConfig
from recobro_score.simulate.portfolio import Simulation, simulate_portfolio
from recobro_score.texts import load_texts

Progress = Callable[[str, float], None]

TIME_ZONE = "America/Bogota"
SNAPSHOTS = 9
EXAMPLES = 4
RUN_FILE = "run.toml"

_RUN_TOML = """\
# Written by `recobro-score demo`. Try: recobro-score nightly {name} --as-of {as_of}

[portfolio]
folder = "portfolio"
time_zone = "{time_zone}"
declared = ["holds", "facts", "contacts", "complaints", "placements"]  # a night stops without these

[target]
share = 0.5        # pays at least half of what is due ...
horizon_days = 30  # ... within 30 days

[training]
first = {first}
last = {last}
every_days = 30
observed_until = {as_of}  # the tables are complete until then

[bundle]
reference = "bundle"

[output]
folder = "out"

[night]
language = "{language}"

[capacities]
call = {agents}
call_bot = {bots}

[rates]
reporting = "USD"
rows = [
  {{ currency = "COP", from = 2020-01-01, factor = 0.00025 }},
  {{ currency = "CLP", from = 2020-01-01, factor = 0.00105 }},
]
{tracking}"""

_TRACKING = """
[tracking]
uri = "sqlite:///mlflow.db"
"""


@dataclass(frozen=True, slots=True)
class Demo:
    """A finished demo.

    Attributes
    ----------
    folder : Path
        Holds ``portfolio/``, ``run.toml``, ``bundle/`` and ``out/<as-of>/``.
    job : TrainingJob
        The training.
    night : Night
        The night.
    """

    folder: Path
    job: TrainingJob
    night: Night

    def summary(self) -> str:
        """Return what was learned and decided, some decisions in words, and where the files lie."""
        places = [self.folder / "portfolio", self.folder / RUN_FILE, self.job.folder, self.night.folder]
        parts = [
            self.job.summary(),
            self.night.summary(),
            *self._examples(),
            "Look at:\n" + "\n".join(f"  {place}" for place in places),
        ]
        return "\n\n".join(parts)

    def _examples(self) -> list[str]:
        """Return the most valuable decision of each action, with its reasons."""
        decisions = self.night.outputs.frame().sort_values("value", ascending=False)
        best = decisions.drop_duplicates("action_id").head(EXAMPLES)
        return [
            "\n".join(
                [
                    f"{row.account_id}  {row.action_id}  p_pay {row.p_pay:.2f}",
                    *(f"  - {text}" for text in (row.reason_1, row.reason_2) if text),
                    f"  = {row.action_reason}",
                ]
            )
            for row in best.itertuples()
        ]


def run_demo(
    out: str | Path,
    *,
    accounts: int = 5_000,
    seed: int = 7,
    language: str = "es",
    tracking: bool = True,
    progress: Progress | None = None,
) -> Demo:
    """Simulate, train and decide in a folder.

    Parameters
    ----------
    out : str or Path
        Folder to write to; an earlier demo in it is replaced.
    accounts, seed : int
        Size and seed of the simulation.
    language : str
        Language of the sentences.
    tracking : bool
        Whether to record the training in an MLflow database in the folder.
    progress : callable, optional
        Called with a step's name and the share done.
    """
    load_texts(language)
    out = Path(out).resolve()
    tell = progress or (lambda step, done: None)  # noqa: ARG005 - the shape of Progress
    tell("simulating the portfolio", 0.0)
    simulation = simulate_portfolio(accounts, seed=seed)
    simulation.write(out / "portfolio")
    tell("simulating the portfolio", 1.0)
    as_of = as_datetime(simulation.as_of, TIME_ZONE).date().isoformat()
    (out / RUN_FILE).write_text(
        _run_toml(simulation, accounts, language=language, tracking=tracking), encoding="utf-8"
    )
    config = RunConfig.read(out / RUN_FILE)
    job = run_training(config, progress=progress)
    return Demo(out, job, run_night(config, as_of, progress=progress))


def _run_toml(simulation: Simulation, accounts: int, *, language: str, tracking: bool) -> str:
    period = 30 * US_PER_DAY
    last = simulation.as_of - period
    first = last - (SNAPSHOTS - 1) * period
    return _RUN_TOML.format(
        name=RUN_FILE,
        as_of=as_datetime(simulation.as_of, TIME_ZONE).date(),
        first=as_datetime(first, TIME_ZONE).date(),
        last=as_datetime(last, TIME_ZONE).date(),
        time_zone=TIME_ZONE,
        language=language,
        agents=max(10, accounts // 25),
        bots=max(20, accounts // 10),
        tracking=_TRACKING if tracking else "",
    )
