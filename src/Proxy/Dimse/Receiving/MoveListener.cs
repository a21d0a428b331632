using System.Net;
using System.Net.Sockets;
using Proxy.Backends;
using Proxy.Dimse.Protocol;
using Proxy.Operations;
using Proxy.Operations.Telemetry;
using Proxy.Wire;

namespace Proxy.Dimse.Receiving;

/// <summary>Receives the instances of C-MOVEs: a Storage SCP that accepts nothing else but C-ECHO (PS3.4 §B).</summary>
/// <remarks>
/// It listens from the first C-MOVE on, at <c>Backends:{name}:Listen</c>. An association is accepted only from the AE title of a backend
/// with a running C-MOVE, and an instance only when that C-MOVE requested it (<see cref="PendingMoves"/>); everything else is refused.
/// </remarks>
/// <param name="moves">The running C-MOVEs.</param>
/// <param name="traffic">Counts the bytes received.</param>
/// <param name="time">The clock of the time limits.</param>
/// <param name="log">The log.</param>
internal sealed class MoveListener(PendingMoves moves, Traffic traffic, TimeProvider time, ILogger<MoveListener> log) : IAsyncDisposable
{
    /// <summary>The most connections at once; further ones are closed.</summary>
    private const int MaxConnections = 64;

    private static readonly AssociationLimits Limits = new(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(30));

    private readonly Lock _lock = new();
    private readonly Dictionary<IPEndPoint, Socket> _listening = [];
    private readonly CancellationTokenSource _stop = new();
    private int _connections;
    private DateTimeOffset? _lastLogged;

    /// <summary>Listens at an address, unless it does so already.</summary>
    /// <exception cref="SocketException">The address cannot be used.</exception>
    public void Listen(IPEndPoint address)
    {
        lock (_lock)
        {
            if (_listening.ContainsKey(address)) return;
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(address);
                socket.Listen();
            }
            catch
            {
                socket.Dispose();
                throw;
            }
            _listening[address] = socket;
            _ = AcceptAsync(socket);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        lock (_lock)
        {
            foreach (var socket in _listening.Values) socket.Dispose();
            _listening.Clear();
        }
        _stop.Dispose();
    }

    private async Task AcceptAsync(Socket socket)
    {
        var stop = _stop.Token;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var connection = await socket.AcceptAsync(stop);
                connection.NoDelay = true;
                if (Interlocked.Increment(ref _connections) <= MaxConnections)
                {
                    _ = ServeAsync(connection, stop);
                    continue;
                }
                connection.Dispose();
                Interlocked.Decrement(ref _connections);
            }
            catch (Exception e) when (e is SocketException && !stop.IsCancellationRequested)
            {
                // The peer left before it was accepted.
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket connection, CancellationToken stop)
    {
        try
        {
            var stream = new CountedStream(new NetworkStream(connection, ownsSocket: true), traffic);
            if (await Association.AcceptAsync(stream, Decide, Limits, time, stop) is var (association, request))
            {
                await using (association) await ServeAsync(association, request, stop);
            }
        }
        catch (Exception e) when (e is AssociationException or TimeoutException or MalformedAnswerException or OperationCanceledException
            or IOException or SocketException or ObjectDisposedException)
        {
            // The peer is done, late, wrong or gone; a C-MOVE that waits for it finds out itself.
        }
        catch (Exception e)
        {
            log.UnhandledException(e);
        }
        finally
        {
            connection.Dispose();
            Interlocked.Decrement(ref _connections);
        }
    }

    private (AssociatePdu? Accept, Rejection Rejection) Decide(AssociatePdu request)
    {
        var backends = moves.FindBackends(request.CallingAeTitle, request.CalledAeTitle);
        if (backends.Count == 0)
        {
            LogRefusal("an association");
            return (null, new(Result: 1, Source: 1, Reason: 3));
        }
        var isUncompressed = backends.Any(backend => backend.Dimse!.Syntaxes == RetrievedSyntaxes.Uncompressed);
        return (
            request with
            {
                Contexts = ContextPlan.Accept(request.Contexts, isUncompressed),
                MaxPduBytes = Association.MaxPduBytes,
                ImplementationClassUid = FileHead.ImplementationClassUid,
                ImplementationVersion = FileHead.ImplementationVersion,
                Roles = [],
            },
            default);
    }

    private async Task ServeAsync(Association association, AssociatePdu request, CancellationToken stop)
    {
        while (true)
        {
            var message = await association.ReadMessageAsync(isFirst: true, stop);
            switch (message.Command.Field)
            {
                case CommandField.EchoRequest:
                    await association.SendAsync(
                        message.Context,
                        new(CommandField.EchoResponse)
                        {
                            SopClass = SopClass.Verification,
                            RespondedTo = message.Command.MessageId,
                            Status = DimseStatus.Success,
                            HasDataset = false,
                        },
                        default, stop);
                    break;
                case CommandField.StoreRequest:
                    if (!await ReceiveAsync(association, request, message, stop))
                    {
                        await association.AbortAsync();
                        return;
                    }
                    break;
                default:
                    await association.AbortAsync();
                    return;
            }
        }
    }

    private async Task<bool> ReceiveAsync(Association association, AssociatePdu request, DimseMessage message, CancellationToken stop)
    {
        var refusal = RetrieveOperation.Check(association, message, out var instance);
        var move = instance is null
            ? null
            : moves.Find(request.CallingAeTitle, request.CalledAeTitle, message.Command, instance.SopInstance);
        if (move is not null)
        {
            return await move.ReceiveAsync(
                new(association, message, instance!, new(TaskCreationOptions.RunContinuationsAsynchronously)), stop);
        }
        if (refusal is null) LogRefusal("an instance");
        await association.SkipDataAsync(stop);
        await RetrieveOperation.AnswerAsync(association, message, refusal ?? DimseStatus.NotAuthorized, stop);
        return true;
    }

    /// <summary>Logs a refusal, at most once a minute: anybody may connect.</summary>
    private void LogRefusal(string what)
    {
        lock (_lock)
        {
            if (time.GetUtcNow() - _lastLogged < TimeSpan.FromMinutes(1)) return;
            _lastLogged = time.GetUtcNow();
        }
        log.StoreRefused(what);
    }
}
