using Proxy.Dicom;

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

/// <summary>What a failure of a request is evidence against.</summary>
/// <param name="Scope">The scope of the request.</param>
/// <param name="Study">The study of the request; null for none.</param>
public readonly record struct Evidence(FailureScope Scope, Uid? Study = null);
