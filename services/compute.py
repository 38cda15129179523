"""How much of the machine the networks may use."""


def limit_threads(count: int) -> None:
    """Give torch ``count`` threads per operation, for the whole process.

    One is the fastest on small or shared machines: with two, on two busy cores, LighterGlue took 4.0 s per pair
    instead of 0.15 s, because torch's threads wait for each other by spinning.
    """
    import torch  # seconds to import; a service with a fake backend does without

    torch.set_num_threads(count)
