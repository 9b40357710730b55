"""How stable an estimate is: designs, resampling, variance ledger, agreement, tests."""
