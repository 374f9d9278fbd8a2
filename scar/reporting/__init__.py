"""Tables, figures and pages made from result rows; nothing here trains anything.

Each module makes one table or figure from a data frame, `write.write_report` puts them into the folder of a study.
"""

from scar.reporting.study import Study, load_study
from scar.reporting.write import write_report

__all__ = ["Study", "load_study", "write_report"]
