"""Solves LP and MPS files with HiGHS and prints one line for each: status and optimum."""

import sys

import highspy

for path in sys.argv[1:]:
    h = highspy.Highs()
    for option, value in [
        ("output_flag", False),
        ("mip_rel_gap", 0.0),
        ("primal_feasibility_tolerance", 1e-9),
        ("dual_feasibility_tolerance", 1e-9),
        ("mip_feasibility_tolerance", 1e-9),
    ]:
        h.setOptionValue(option, value)
    if h.readModel(path) != highspy.HighsStatus.kOk:
        print("unreadable", 0)
        continue
    h.run()
    print(h.modelStatusToString(h.getModelStatus()).replace(" ", "-"), h.getInfo().objective_function_value)
