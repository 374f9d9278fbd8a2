"""Study: do the intervals of forecasts hold?"""
