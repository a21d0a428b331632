using System.Collections.Concurrent;
using System.Threading.Channels;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;

namespace Proxy.Dimse.Receiving;

/// <summary>The running C-MOVEs, and to which of them an instance belongs that a PACS stores here (PS3.7 §9.1.1.1).</summary>
/// <remarks>
/// <code>
/// AE titles       of the storing association: those of the backend                           required
/// SOP instance    one that was requested                                                     required
/// originator      (0000,1030) the AE title of the proxy, (0000,1031) the message ID          required where the PACS sends them
/// </code>
/// A PACS that does not send the originator gets one C-MOVE at a time from then on.
/// </remarks>
internal sealed class PendingMoves
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ushort, PendingMove> _moves = [];
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _turns = new();
    private readonly ConcurrentDictionary<string, bool> _withoutOriginator = new();
    private ushort _last;

    /// <summary>Begins a C-MOVE; its message ID is unique in the process. Dispose it at its end.</summary>
    /// <param name="backend">A DIMSE backend.</param>
    /// <param name="expected">The requested instances: only these are received.</param>
    /// <param name="cancellation">Cancels the wait for another C-MOVE, where the PACS does not send the originator.</param>
    public async Task<PendingMove> BeginAsync(BackendOptions backend, IReadOnlyCollection<Uid> expected, CancellationToken cancellation)
    {
        var turn = _withoutOriginator.ContainsKey(backend.Name) ? _turns.GetOrAdd(backend.Name, static _ => new(1)) : null;
        if (turn is not null) await turn.WaitAsync(cancellation);
        lock (_lock)
        {
            do
            {
                _last = (ushort)(_last == ushort.MaxValue ? 1 : _last + 1);
            }
            while (_moves.ContainsKey(_last));
            return _moves[_last] = new(this, backend, _last, expected.ToHashSet(), turn);
        }
    }

    /// <summary>The backends of the running C-MOVEs between two AE titles.</summary>
    /// <param name="calling">The AE title of the PACS.</param>
    /// <param name="called">The AE title of the proxy.</param>
    public IReadOnlyList<BackendOptions> FindBackends(string calling, string called)
    {
        lock (_lock) return [.. _moves.Values.Where(move => move.IsBetween(calling, called)).Select(move => move.Backend).Distinct()];
    }

    /// <summary>The C-MOVE that an instance belongs to; null when it was not requested.</summary>
    /// <param name="calling">The AE title of the PACS.</param>
    /// <param name="called">The AE title of the proxy.</param>
    /// <param name="store">The C-STORE request.</param>
    /// <param name="instance">Its instance.</param>
    public PendingMove? Find(string calling, string called, CommandSet store, Uid instance)
    {
        lock (_lock)
        {
            if (store.MoveOriginatorId is { } id)
            {
                return store.MoveOriginator == called && _moves.TryGetValue((ushort)id, out var move)
                    && move.IsBetween(calling, called) && move.Expected.Contains(instance)
                    ? move
                    : null;
            }
            var candidates = _moves.Values.Where(move => move.IsBetween(calling, called)).OrderBy(move => move.Id).ToList();
            foreach (var one in candidates) _withoutOriginator[one.Backend.Name] = true;
            return candidates.Find(move => move.Expected.Contains(instance));
        }
    }

    /// <summary>Ends a C-MOVE: what still arrives for it was not requested.</summary>
    /// <returns>False when it has ended before.</returns>
    internal bool End(PendingMove move)
    {
        lock (_lock) return _moves.TryGetValue(move.Id, out var running) && running == move && _moves.Remove(move.Id);
    }
}

/// <summary>A running C-MOVE.</summary>
/// <param name="moves">Where it is registered.</param>
/// <param name="backend">The backend.</param>
/// <param name="id">The message ID of the C-MOVE request.</param>
/// <param name="expected">The requested instances.</param>
/// <param name="turn">Released at the end; null when the backend may have several C-MOVEs.</param>
internal sealed class PendingMove(
    PendingMoves moves, BackendOptions backend, ushort id, IReadOnlySet<Uid> expected, SemaphoreSlim? turn) : IDisposable
{
    private readonly Channel<ReceivedStore> _received = Channel.CreateUnbounded<ReceivedStore>();
    private readonly ConcurrentDictionary<ReceivedStore, bool> _open = new();

    /// <summary>The backend.</summary>
    public BackendOptions Backend => backend;

    /// <summary>The message ID.</summary>
    public ushort Id => id;

    /// <summary>The requested instances.</summary>
    public IReadOnlySet<Uid> Expected => expected;

    /// <summary>The instances whose datasets are to be read.</summary>
    public ChannelReader<ReceivedStore> Received => _received.Reader;

    /// <summary>True for the AE titles of the backend and of the proxy.</summary>
    public bool IsBetween(string calling, string called) =>
        backend.Dimse!.CalledAeTitle == calling && backend.Dimse.CallingAeTitle == called;

    /// <summary>Hands over an instance, and waits until its dataset was read and answered.</summary>
    /// <returns>False when it was not: the association is in the middle of it.</returns>
    public async Task<bool> ReceiveAsync(ReceivedStore store, CancellationToken cancellation)
    {
        _open[store] = true;
        try
        {
            return _received.Writer.TryWrite(store) && await store.Done.Task.WaitAsync(cancellation);
        }
        finally
        {
            _open.TryRemove(store, out _);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!moves.End(this)) return;
        _received.Writer.TryComplete();
        foreach (var store in _open.Keys) store.Done.TrySetResult(false);
        turn?.Release();
    }
}

/// <summary>An instance that a PACS stores here, whose dataset was not read yet.</summary>
/// <param name="Association">The association, which belongs to the reader until <paramref name="Done"/>.</param>
/// <param name="Message">The C-STORE request.</param>
/// <param name="Instance">The instance.</param>
/// <param name="Done">Completed with true when the dataset was read and answered.</param>
internal sealed record ReceivedStore(
    Association Association, DimseMessage Message, ArrivingInstance Instance, TaskCompletionSource<bool> Done);
