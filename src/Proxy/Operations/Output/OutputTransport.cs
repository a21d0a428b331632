using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Proxy.Operations.Output;

/// <summary>The transport of a connection with a <see cref="ConnectionOutput"/>.</summary>
internal sealed class OutputTransport(PipeReader input, ConnectionOutput output) : IDuplexPipe
{
    /// <inheritdoc/>
    public PipeReader Input => input;

    /// <inheritdoc/>
    public PipeWriter Output => output;

    /// <summary>Gives each connection of an endpoint its own output. It must come before all other middleware of the connection.</summary>
    public static void Use(ListenOptions endpoint) => endpoint.Use(static next => connection => RunAsync(connection, next));

    private static async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (connection.Features.Get<IConnectionSocketFeature>() is not { Socket: var socket })
        {
            await next(connection);
            return;
        }
        var transport = connection.Transport;
        var output = new ConnectionOutput(connection, transport.Output, socket);
        connection.Features.Set(output);
        connection.Transport = new OutputTransport(transport.Input, output);
        try
        {
            await next(connection);
        }
        finally
        {
            await output.EndAsync();
            connection.Transport = transport;
        }
    }
}
