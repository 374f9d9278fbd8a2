"""Tables, figures and pages made from result rows; nothing here trains anything.

Each module makes one table or figure from a data frame, `write.write_report` puts them into the folder of a study.
"""
