"""The model lab: any labelled table in, models that can serve and a report of them out.

`make lab DATA=file.csv LABEL=column OUT=folder`; docs/model-lab.md tells what it does and finds.
"""
