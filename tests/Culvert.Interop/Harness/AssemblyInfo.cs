// Scenarios boot whole machines: on two cores one at a time is fastest, and captures stay readable.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
