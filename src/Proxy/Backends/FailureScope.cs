namespace Proxy.Backends;

/// <summary>The object that a failed request is evidence against.</summary>
public enum FailureScope
{
    /// <summary>A search over all studies: its failure counts against the backend.</summary>
    Search,

    /// <summary>A request within one study: its failure counts against the backend only with failures of other studies.</summary>
    Study,

    /// <summary>A request that the proxy forwards without parsing it.</summary>
    Forwarded,

    /// <summary>Read-ahead and prefetch: a failure is no evidence; several in a row trigger a probe.</summary>
    Prefetch,

    /// <summary>The proxy's own health check, which decides.</summary>
    Probe,
}
