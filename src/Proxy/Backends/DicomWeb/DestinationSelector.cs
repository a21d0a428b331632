using Proxy.Backends.Credentials;
using Proxy.Backends.Transport;
using Yarp.ReverseProxy.Health;
using Yarp.ReverseProxy.LoadBalancing;
using Yarp.ReverseProxy.Model;

namespace Proxy.Backends.DicomWeb;

/// <summary>Chooses a backend's destination by YARP's load-balancing policies and health states.</summary>
public sealed class DestinationSelector(IEnumerable<ILoadBalancingPolicy> policies, IDestinationHealthUpdater health)
{
    private static readonly TimeSpan ReactivationPeriod = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, ILoadBalancingPolicy> _policies = policies.ToDictionary(
        p => p.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>Sends to a destination that was not tried yet, or to any when all were tried.</summary>
    /// <param name="cluster">The backend's cluster.</param>
    /// <param name="tried">The destinations tried so far; the chosen one is added.</param>
    /// <param name="make">Creates the message for a destination's address.</param>
    /// <param name="cancellation">Cancels the request.</param>
    public async ValueTask<HttpResponseMessage> SendAsync(
        ClusterState cluster, ICollection<DestinationState> tried, Func<string, HttpRequestMessage> make, CancellationToken cancellation)
    {
        var destination = Choose(cluster, tried);
        try
        {
            return await cluster.Model.HttpClient.SendAsync(make(destination.Model.Config.Address), cancellation);
        }
        catch (HttpRequestException e) when (e is not (BackendBusyException or NoCredentialException))
        {
            MarkUnhealthy(cluster, destination);
            throw;
        }
    }

    private DestinationState Choose(ClusterState cluster, ICollection<DestinationState> tried)
    {
        // A hedged request runs in parallel with the first.
        lock (tried)
        {
            var all = cluster.DestinationsState.AvailableDestinations;
            IReadOnlyList<DestinationState> candidates = tried.Count == 0 ? all : [.. all.Except(tried)];
            if (candidates.Count == 0) candidates = all.Count > 0 ? all : [.. tried];
            var policy = candidates.Count == 1
                ? null
                : _policies.GetValueOrDefault(cluster.Model.Config.LoadBalancingPolicy ?? LoadBalancingPolicies.PowerOfTwoChoices);
            var chosen = policy?.PickDestination(new DefaultHttpContext(), cluster, candidates) ?? candidates[0];
            tried.Add(chosen);
            return chosen;
        }
    }

    /// <summary>Reports to YARP's passive health check, if enabled; the last available destination is never marked.</summary>
    private void MarkUnhealthy(ClusterState cluster, DestinationState destination)
    {
        if (cluster.Model.Config.HealthCheck?.Passive is not { Enabled: true } passive
            || cluster.DestinationsState.AvailableDestinations.Count < 2)
            return;
        health.SetPassive(cluster, destination, DestinationHealth.Unhealthy, passive.ReactivationPeriod ?? ReactivationPeriod);
    }
}
