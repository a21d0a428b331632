using Proxy.Backends.Transport;
using Yarp.ReverseProxy.Health;
using Yarp.ReverseProxy.LoadBalancing;
using Yarp.ReverseProxy.Model;

namespace Proxy.Backends;

/// <summary>Which of a backend's destinations is sent to, by YARP's own policies and its picture of their health.</summary>
public sealed class DestinationChoice(IEnumerable<ILoadBalancingPolicy> policies, IDestinationHealthUpdater health)
{
    private static readonly TimeSpan ReactivationPeriod = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, ILoadBalancingPolicy> _policies = policies.ToDictionary(
        p => p.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>Sends to one that was not tried yet, while there is one.</summary>
    public async ValueTask<HttpResponseMessage> SendAsync(
        ClusterState cluster, List<DestinationState> tried, Func<string, HttpRequestMessage> make, CancellationToken cancellation)
    {
        var destination = Choose(cluster, tried);
        try
        {
            return await cluster.Model.HttpClient.SendAsync(make(destination.Model.Config.Address), cancellation);
        }
        catch (HttpRequestException e) when (e is not BackendBusyException)
        {
            MarkUnhealthy(cluster, destination);
            throw;
        }
    }

    private DestinationState Choose(ClusterState cluster, List<DestinationState> tried)
    {
        // A hedged request runs beside the first one.
        lock (tried)
        {
            var all = cluster.DestinationsState.AvailableDestinations;
            IReadOnlyList<DestinationState> left = tried.Count == 0 ? all : [.. all.Except(tried)];
            if (left.Count == 0) left = all.Count > 0 ? all : [.. tried];
            var policy = left.Count == 1
                ? null
                : _policies.GetValueOrDefault(cluster.Model.Config.LoadBalancingPolicy ?? LoadBalancingPolicies.PowerOfTwoChoices);
            var chosen = policy?.PickDestination(new DefaultHttpContext(), cluster, left) ?? left[0];
            tried.Add(chosen);
            return chosen;
        }
    }

    /// <summary>Tells YARP's passive health check, where it is switched on; the last one that is left stays.</summary>
    private void MarkUnhealthy(ClusterState cluster, DestinationState destination)
    {
        if (cluster.Model.Config.HealthCheck?.Passive is not { Enabled: true } passive
            || cluster.DestinationsState.AvailableDestinations.Count < 2)
            return;
        health.SetPassive(cluster, destination, DestinationHealth.Unhealthy, passive.ReactivationPeriod ?? ReactivationPeriod);
    }
}
