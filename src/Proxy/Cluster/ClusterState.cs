using Proxy.Cache;
using Proxy.Cluster.Changes;

namespace Proxy.Cluster;

/// <summary>What operators see of the shared tier.</summary>
/// <param name="engine">The connections.</param>
/// <param name="bodies">The bodies in the engine.</param>
/// <param name="writer">Writes them.</param>
/// <param name="changes">The log of changes.</param>
internal sealed class ClusterState(SharedEngine engine, SharedBodies bodies, SharedWriter writer, ChangeLog changes)
{
    /// <summary>Why the engine is not used, or its last error; null when it works.</summary>
    public string? Reason => engine.Health.Reason ?? engine.LastError;

    /// <summary>The name of this node.</summary>
    public string Node => engine.Node;

    /// <summary>Look-ups of bodies in the engine.</summary>
    public CacheStatistics Bodies => bodies.Statistics;

    /// <summary>Failures of the engine since the start.</summary>
    public long Failures => engine.Health.Failures;

    /// <summary>Look-ups and writes that were skipped while the engine was not used.</summary>
    public long Skipped => engine.Refused;

    /// <summary>Bodies that were written.</summary>
    public long Written => writer.Written;

    /// <summary>Bodies that were not written.</summary>
    public long Dropped => writer.Dropped;

    /// <summary>Damaged values.</summary>
    public long Damaged => bodies.Damaged;

    /// <summary>Changes of other nodes that were applied.</summary>
    public long Applied => changes.Applied;
}
