using Microsoft.AspNetCore.Http.Features;

namespace Proxy.Operations;

/// <summary>Whether a request asks for another protocol on its connection.</summary>
internal static class RequestUpgrade
{
    private const string WebSocket = "websocket";

    /// <summary>Whether a request opens a WebSocket: by Upgrade (RFC 6455 §4.1), or by CONNECT over HTTP/2 (RFC 8441 §4).</summary>
    public static bool IsWebSocket(this HttpRequest request) =>
        request.HttpContext.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true, Protocol: var protocol }
            ? WebSocket.Equals(protocol, StringComparison.OrdinalIgnoreCase)
            : WebSocket.Equals(request.Headers.Upgrade.ToString(), StringComparison.OrdinalIgnoreCase);
}
