using System.Net.Sockets;
using Proxy.Backends;
using Proxy.Dimse.Protocol;

namespace Proxy.Dimse;

/// <summary>Keeps associations open between operations, for at most 30 s: firewalls drop idle ones silently.</summary>
/// <remarks>
/// The permits of a backend limit the associations in use. Idle ones count as well at the PACS, so the oldest is released before another
/// one is opened beyond <see cref="DimseOptions.MaxAssociations"/>.
/// </remarks>
internal sealed class AssociationPool(DimseConnector connector, TimeProvider time) : IAsyncDisposable
{
    /// <summary>The longest time without an operation.</summary>
    private static readonly TimeSpan MaxIdle = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly List<Idle> _idle = [];
    private readonly Dictionary<string, int> _used = [];

    /// <summary>An association in use by one operation.</summary>
    /// <param name="Backend">The backend as it was configured when the association was opened.</param>
    /// <param name="Plan">The name of its <see cref="ContextPlan"/>.</param>
    /// <param name="Association">The association.</param>
    /// <param name="Socket">Its connection.</param>
    /// <param name="IsReused">True when it was idle before, so that the peer may have ended it.</param>
    public sealed record Lease(BackendOptions Backend, string Plan, Association Association, Socket Socket, bool IsReused);

    private sealed record Idle(Lease Lease)
    {
        public ITimer? Timer { get; set; }
    }

    /// <summary>Takes an idle association with the same contexts, or opens one.</summary>
    /// <param name="backend">A DIMSE backend, of which the caller holds a permit.</param>
    /// <param name="plan">The contexts.</param>
    /// <param name="isFresh">True to open one in any case: an idle one has failed.</param>
    /// <param name="cancellation">Cancels the opening.</param>
    public async Task<Lease> TakeAsync(BackendOptions backend, ContextPlan plan, bool isFresh, CancellationToken cancellation)
    {
        Count(backend.Name, 1);
        try
        {
            while (!isFresh && Remove(idle => idle.Plan == plan.Name && idle.Backend == backend) is { } reused)
            {
                if (IsAlive(reused)) return reused with { IsReused = true };
                await reused.Association.DisposeAsync();
            }
            while (CountOpen(backend.Name) > backend.MaxConcurrentRequests
                && Remove(idle => idle.Backend.Name == backend.Name) is { } oldest)
                await oldest.Association.DisposeAsync();
            var (association, socket) = await connector.OpenAsync(backend, plan, cancellation);
            return new(backend, plan.Name, association, socket, IsReused: false);
        }
        catch
        {
            Count(backend.Name, -1);
            throw;
        }
    }

    /// <summary>Returns an association; one in the middle of an operation is aborted.</summary>
    public async ValueTask ReturnAsync(Lease lease)
    {
        Count(lease.Backend.Name, -1);
        if (!lease.Association.IsIdle)
        {
            await lease.Association.DisposeAsync();
            return;
        }
        var idle = new Idle(lease);
        lock (_lock)
        {
            _idle.Add(idle);
            idle.Timer = time.CreateTimer(_ => _ = ExpireAsync(idle), null, MaxIdle, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Releases the idle associations of a backend that was removed or has other settings.</summary>
    public async ValueTask CloseAsync(string backend)
    {
        while (Remove(idle => idle.Backend.Name == backend) is { } lease) await lease.Association.DisposeAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        while (Remove(_ => true) is { } lease) await lease.Association.DisposeAsync();
    }

    private async Task ExpireAsync(Idle expired)
    {
        if (Remove(expired.Lease.Equals) is { } lease) await lease.Association.DisposeAsync();
    }

    /// <summary>False when the peer has closed the connection or sent something, which is an abort or a release.</summary>
    private static bool IsAlive(Lease lease)
    {
        try
        {
            return !lease.Socket.Poll(0, SelectMode.SelectRead);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <summary>Removes the oldest idle association that matches, or returns null.</summary>
    private Lease? Remove(Predicate<Lease> matches)
    {
        lock (_lock)
        {
            var index = _idle.FindIndex(idle => matches(idle.Lease));
            if (index < 0) return null;
            var idle = _idle[index];
            _idle.RemoveAt(index);
            idle.Timer?.Dispose();
            return idle.Lease;
        }
    }

    private int CountOpen(string backend)
    {
        lock (_lock) return _used.GetValueOrDefault(backend) + _idle.Count(idle => idle.Lease.Backend.Name == backend);
    }

    private void Count(string backend, int change)
    {
        lock (_lock) _used[backend] = _used.GetValueOrDefault(backend) + change;
    }
}
