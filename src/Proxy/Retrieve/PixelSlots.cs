using Proxy.Cache;
using Proxy.Cache.InMemory;

namespace Proxy.Retrieve;

/// <summary>
/// Limits the frames that are decoded or rendered at once, to one per processor core, and their memory, which is a part of the memory
/// budget. Others wait for both, for a limited time and in limited number.
/// </summary>
/// <param name="memory">The bytes in memory outside the memory tier.</param>
/// <param name="time">The clock.</param>
/// <param name="count">The frames at once; at least 1.</param>
public sealed class PixelSlots(InFlightBytes memory, TimeProvider time, int count) : IDisposable
{
    /// <summary>The longest wait, like that of a request to a PACS. A viewer that scrolls on leaves before.</summary>
    public static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(30);

    /// <summary>How often memory is tried again while other frames or bodies hold it.</summary>
    public static readonly TimeSpan MemoryInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>The most that wait, per slot.</summary>
    public const int MaxWaitingPerSlot = 256;

    private readonly InFlightBytes _memory = memory;
    private readonly SemaphoreSlim _free = new(count);
    private int _waiting;

    /// <summary>Creates the slots of this process: one per core.</summary>
    public static PixelSlots Create(MemoryTier tier, TimeProvider time) => new(tier.InFlight, time, Environment.ProcessorCount);

    /// <summary>True when a frame that needs so much memory fits into the budget at all.</summary>
    /// <param name="bytes">In bytes.</param>
    public bool CanHold(long bytes) => bytes <= _memory.Limit;

    /// <summary>Waits for a slot.</summary>
    /// <param name="bytes">The memory that the work needs, in bytes.</param>
    /// <param name="cancellation">Cancelled when no client waits any more.</param>
    /// <returns>The slot, until it is disposed; null when too many wait, none was free in time, or the memory does not suffice.</returns>
    public async Task<Slot?> EnterAsync(long bytes, CancellationToken cancellation)
    {
        if (!CanHold(bytes)) return null;
        using var limit = new CancellationTokenSource(MaxWait, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        var hasSlot = false;
        try
        {
            if (!(hasSlot = await WaitAsync(both.Token))) return null;
            while (!_memory.TryReserve(bytes)) await Task.Delay(MemoryInterval, time, both.Token);
            hasSlot = false;
            return new Slot(this, bytes);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
        finally
        {
            if (hasSlot) _free.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _free.Dispose();

    /// <summary>Waits for a slot; false when too many wait.</summary>
    private async Task<bool> WaitAsync(CancellationToken cancellation)
    {
        if (_free.Wait(0, CancellationToken.None)) return true;
        if (Interlocked.Increment(ref _waiting) > MaxWaitingPerSlot * count)
        {
            Interlocked.Decrement(ref _waiting);
            return false;
        }
        try
        {
            await _free.WaitAsync(cancellation);
            return true;
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <summary>A place, and memory.</summary>
    /// <param name="slots">The slots that it is one of.</param>
    /// <param name="bytes">The reserved memory, in bytes.</param>
    public sealed class Slot(PixelSlots slots, long bytes) : IDisposable
    {
        private int _hasPlace = 1, _hasMemory = 1;

        /// <summary>Leaves the place to another frame, and keeps the memory: the rest of the work waits for a client.</summary>
        public void LeavePlace()
        {
            if (Interlocked.Exchange(ref _hasPlace, 0) == 1) slots._free.Release();
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            LeavePlace();
            if (Interlocked.Exchange(ref _hasMemory, 0) == 1) slots._memory.Release(bytes);
        }
    }
}
