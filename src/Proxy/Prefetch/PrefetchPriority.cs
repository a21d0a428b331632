using Proxy.Backends;

namespace Proxy.Prefetch;

/// <summary>The priority of a prefetch, highest first.</summary>
public enum PrefetchPriority
{
    /// <summary>The rest of an open study.</summary>
    ReadAhead,

    /// <summary>Requested through the API, to be viewed soon.</summary>
    Asked,

    /// <summary>The next studies of the work list.</summary>
    Next,

    /// <summary>Prior studies of the same patient.</summary>
    Priors,

    /// <summary>When the backend is otherwise idle.</summary>
    Idle,
}

/// <summary>What the priorities mean to the scheduler of backends.</summary>
public static class PrefetchPriorities
{
    /// <summary>The order of the priorities; read-ahead runs beside the client that it reads ahead for.</summary>
    public static FetchPriority ToFetchPriority(this PrefetchPriority priority) =>
        new((int)priority, RunsBesideClients: priority == PrefetchPriority.ReadAhead);
}
