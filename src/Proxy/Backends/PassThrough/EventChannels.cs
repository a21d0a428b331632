using System.Collections.Concurrent;
using System.Net;
using Proxy.Backends.Health;
using Proxy.Operations;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace Proxy.Backends.PassThrough;

/// <summary>Event channels of UPS-RS: WebSockets between a client and a PACS (PS3.18 §8.10.4, RFC 6455).</summary>
/// <remarks>
/// <code>
/// 1 refuse    a request that is no WebSocket handshake (426), or one channel too many (503)
/// 2 open      the PACS answers within its timeout; with the answer it gets its permit back
/// 3 record    the handshake as an answer of the PACS, when it comes; the end of the channel says nothing about the PACS
/// 4 end       with either side, after IdleTimeout without a byte, or when the proxy stops
/// </code>
/// A channel stays open for hours: it does not count as a client that waits, so prefetching continues.
/// </remarks>
internal sealed class EventChannels(BackendStates states, IHostApplicationLifetime lifetime)
{
    /// <summary>The most open channels of one backend.</summary>
    public const int MaxPerBackend = 100;

    /// <summary>
    /// The longest silence on a channel, unless YARP's <c>HttpRequest:ActivityTimeout</c> is longer. A ping of either side counts.
    /// </summary>
    public static readonly TimeSpan IdleTimeout = TimeSpan.FromMinutes(10);

    /// <summary>The metadata that marks the YARP route of event channels.</summary>
    public const string Marker = "EventChannel";

    private static readonly object Opened = new();

    private readonly ConcurrentDictionary<string, int> _open = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether a forwarded request is for an event channel.</summary>
    public static bool IsChannel(HttpContext context) =>
        context.GetReverseProxyFeature().Route.Config.Metadata?.ContainsKey(Marker) == true;

    /// <summary>Whether an answer of a PACS opens a channel: 101, or 200 to CONNECT (RFC 8441 §5).</summary>
    public static bool IsOpening(HttpResponseMessage answer) =>
        answer.StatusCode == HttpStatusCode.SwitchingProtocols
        || answer.StatusCode == HttpStatusCode.OK && answer.RequestMessage?.Method == HttpMethod.Connect;

    /// <summary>Forwards a request until its channel ends.</summary>
    /// <param name="context">The request.</param>
    /// <param name="next">Forwards it.</param>
    /// <returns>True when no channel opened and the outcome is to be recorded.</returns>
    public async Task<bool> RunAsync(HttpContext context, Func<Task> next)
    {
        var backend = context.GetReverseProxyFeature().Cluster.Config.ClusterId;
        // 1
        if (!context.Request.IsWebSocket())
        {
            context.Response.Headers.Upgrade = "websocket";
            await Problems.UpgradeRequired().ExecuteAsync(context);
            return false;
        }
        try
        {
            if (_open.AddOrUpdate(backend, 1, (_, count) => count + 1) > MaxPerBackend)
            {
                await Problems.AtCapacity($"At most {MaxPerBackend} event channels of one PACS at once.").ExecuteAsync(context);
                return false;
            }
            // 2, 4
            SetIdleTimeout(context);
            using var stop = lifetime.ApplicationStopping.Register(context.Abort);
            await next();
            return !context.Items.ContainsKey(Opened);
        }
        finally
        {
            _open.AddOrUpdate(backend, 0, (_, count) => count - 1);
        }
    }

    /// <summary>Records that the PACS opened the channel.</summary>
    public void RecordOpening(HttpContext context)
    {
        // 3
        context.Items[Opened] = true;
        states.Record(context.GetReverseProxyFeature().Cluster.Config.ClusterId, new(FailureScope.Forwarded), null);
    }

    /// <summary>The settings of a cluster with the timeout of an event channel.</summary>
    public static ClusterConfig WithIdleTimeout(ClusterConfig cluster)
    {
        var request = cluster.HttpRequest ?? ForwarderRequestConfig.Empty;
        return request.ActivityTimeout > IdleTimeout
            ? cluster
            : cluster with { HttpRequest = request with { ActivityTimeout = IdleTimeout } };
    }

    private static void SetIdleTimeout(HttpContext context)
    {
        var feature = context.GetReverseProxyFeature();
        context.Features.Set<IReverseProxyFeature>(new ReverseProxyFeature
        {
            Route = feature.Route,
            Cluster = new(WithIdleTimeout(feature.Cluster.Config), feature.Cluster.HttpClient),
            AllDestinations = feature.AllDestinations,
            AvailableDestinations = feature.AvailableDestinations,
            ProxiedDestination = feature.ProxiedDestination,
        });
    }
}
