using System.Collections.Concurrent;
using System.Net.Sockets;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;
using Proxy.Dimse.Receiving;

namespace Proxy.Dimse;

/// <summary>Instances of one series to retrieve.</summary>
/// <param name="Path">The series.</param>
/// <param name="Instances">The instances to ask for; null for the whole series.</param>
/// <param name="Expected">The instances that must arrive.</param>
/// <param name="Classes">Their SOP classes; empty, or with an empty string, when they are not known.</param>
/// <param name="IsUncompressed">True to receive uncompressed instances only.</param>
internal sealed record WantedInstances(
    SeriesPath Path, IReadOnlyCollection<Uid>? Instances, IReadOnlyCollection<Uid> Expected, IReadOnlyCollection<string> Classes,
    bool IsUncompressed);

/// <summary>Retrieves instances by C-GET, or by C-MOVE to the proxy itself, as <c>Backends:{name}:Retrieve</c> says.</summary>
/// <remarks>
/// <code>
/// Get     C-GET
/// Move    C-MOVE
/// Auto    C-GET; if the PACS accepts no context or no role for it, C-MOVE, where Listen is set. Remembered for 10 minutes
/// </code>
/// </remarks>
/// <param name="client">Runs the operations.</param>
/// <param name="moves">The running C-MOVEs.</param>
/// <param name="listener">Receives the instances of C-MOVEs.</param>
/// <param name="time">The clock.</param>
internal sealed class InstanceRetrieval(DimseClient client, PendingMoves moves, MoveListener listener, TimeProvider time)
{
    /// <summary>Why C-GET is not possible.</summary>
    public const string NoRole = "it sends no instances by C-GET: it accepted no storage class with the role of the receiver";

    private static readonly TimeSpan Remembered = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<string, DateTimeOffset> _withoutGet = new();

    /// <summary>Retrieves instances.</summary>
    /// <param name="backend">A DIMSE backend.</param>
    /// <param name="wanted">The instances.</param>
    /// <param name="read">Reads them as they arrive.</param>
    /// <param name="cancellation">Aborts the operation.</param>
    public async Task<BackendAnswer<T>> RunAsync<T>(
        BackendOptions backend, WantedInstances wanted, Func<ArrivingSeries, CancellationToken, Task<T>> read,
        CancellationToken cancellation)
    {
        var options = backend.Dimse!;
        if (options.Retrieve == RetrieveService.Move) return await MoveAsync(backend, wanted, read, cancellation);
        var mayMove = options is { Retrieve: RetrieveService.Auto, Listen: not null };
        if (mayMove && _withoutGet.TryGetValue(backend.Name, out var at) && time.GetUtcNow() - at < Remembered)
            return await MoveAsync(backend, wanted, read, cancellation);
        var answer = await GetAsync(backend, wanted, mayMove, read, cancellation);
        if (answer.Failure is { } failure) return new(failure);
        if (answer.Value.IsPossible) return new(answer.Value.Result!);
        _withoutGet[backend.Name] = time.GetUtcNow();
        return await MoveAsync(backend, wanted, read, cancellation);
    }

    /// <summary>Forgets which backends do not support C-GET.</summary>
    /// <param name="backend">The backend; null for all.</param>
    public void Forget(string? backend)
    {
        if (backend is null) _withoutGet.Clear();
        else _withoutGet.TryRemove(backend, out _);
    }

    /// <summary>True when an association can be used for C-GET.</summary>
    public static bool CanGet(Association association) =>
        association.FindContext(SopClass.StudyRootGet) is not null && association.CanReceive;

    /// <summary>Sends a C-MOVE to the proxy itself, as an operation of <see cref="DimseClient"/>.</summary>
    /// <param name="backend">A DIMSE backend with <see cref="DimseOptions.Listen"/>.</param>
    /// <param name="wanted">The instances.</param>
    /// <param name="read">Reads them as they arrive.</param>
    /// <exception cref="SocketException">The proxy cannot listen.</exception>
    public Func<Association, CancellationToken, Task<T>> CreateMove<T>(
        BackendOptions backend, WantedInstances wanted, Func<ArrivingSeries, CancellationToken, Task<T>> read)
    {
        var isLow = CurrentPurpose.Value == RequestPurpose.Prefetch;
        return RunAsync;

        async Task<T> RunAsync(Association association, CancellationToken stopped)
        {
            var context = association.GetContext(SopClass.StudyRootMove, "C-MOVE");
            Listen(backend.Dimse!);
            using var pending = await moves.BeginAsync(backend, wanted.Expected, stopped);
            var operation = new MoveOperation(association, pending, time);
            await operation.StartAsync(WriteKeys(wanted, context), isLow, stopped);
            return await ReadAsync(operation, wanted, read, stopped);
        }
    }

    private async Task<BackendAnswer<(bool IsPossible, T? Result)>> GetAsync<T>(
        BackendOptions backend, WantedInstances wanted, bool mayMove, Func<ArrivingSeries, CancellationToken, Task<T>> read,
        CancellationToken cancellation)
    {
        var isLow = CurrentPurpose.Value == RequestPurpose.Prefetch;
        List<string> classes = [.. wanted.Classes.Distinct()];
        var plan = ContextPlan.ForRetrieval(
            classes.Contains("") ? [] : classes, wanted.IsUncompressed || backend.Dimse!.Syntaxes == RetrievedSyntaxes.Uncompressed);
        return await client.AskAsync(
            backend, DimseRequest.Within(plan, "C-GET", wanted.Path.Study, wanted.Path.Series), RunAsync, CancellationToken.None,
            cancellation);

        async Task<(bool IsPossible, T? Result)> RunAsync(Association association, CancellationToken stopped)
        {
            if (mayMove && !CanGet(association)) return (false, default);
            var context = association.GetContext(SopClass.StudyRootGet, "C-GET");
            if (!association.CanReceive) throw new AssociationException(AssociationEnd.NoContext, NoRole);
            var operation = new GetOperation(association);
            await operation.StartAsync(WriteKeys(wanted, context), isLow, stopped);
            return (true, await ReadAsync(operation, wanted, read, stopped));
        }
    }

    private async Task<BackendAnswer<T>> MoveAsync<T>(
        BackendOptions backend, WantedInstances wanted, Func<ArrivingSeries, CancellationToken, Task<T>> read,
        CancellationToken cancellation) =>
        await client.AskAsync(
            backend, DimseRequest.Within(ContextPlan.Moves, "C-MOVE", wanted.Path.Study, wanted.Path.Series),
            CreateMove(backend, wanted, read), CancellationToken.None, cancellation);

    private void Listen(DimseOptions options)
    {
        try
        {
            listener.Listen(options.Listen!);
        }
        catch (SocketException e)
        {
            throw new ListenException(e);
        }
    }

    private static byte[] WriteKeys(WantedInstances wanted, PresentationContext context) =>
        SearchKeys.CreateForRetrieval(wanted.Path, wanted.Instances).Write(context.TransferSyntaxes[0], "ISO_IR 6");

    private static async Task<T> ReadAsync<T>(
        RetrieveOperation operation, WantedInstances wanted, Func<ArrivingSeries, CancellationToken, Task<T>> read,
        CancellationToken cancellation)
    {
        var series = new ArrivingSeries(operation, wanted.Expected);
        var result = await read(series, cancellation);
        if (operation.Outcome is { Status: not (DimseStatus.Success or DimseStatus.SomeFailed) } refused && series.Arrived.Count == 0)
            throw new DimseStatusException(refused.Status);
        return result;
    }
}

/// <summary>The proxy cannot receive instances at the address of the setting.</summary>
/// <param name="cause">Why.</param>
internal sealed class ListenException(SocketException cause)
    : Exception($"the proxy cannot listen at Listen ({cause.SocketErrorCode})", cause);
