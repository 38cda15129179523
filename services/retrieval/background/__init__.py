"""Jobs on whole collections: sample, check-ups, calibrations, usage."""
