using System.Runtime.InteropServices;

namespace Proxy.Operations;

/// <summary>
/// Collects garbage before the process exceeds its memory limit, and returns memory to the operating system when the load is over.
/// </summary>
/// <remarks>
/// Bodies are large arrays. The runtime may collect them only after another gigabyte of allocations, and never in an idle
/// process, because a collection starts with an allocation.
/// </remarks>
/// <param name="resident">The resident memory of the process, in bytes.</param>
/// <param name="cached">The memory that the caches hold, in bytes.</param>
/// <param name="budget">The memory limit of the caches, in bytes.</param>
/// <param name="time">The clock.</param>
/// <param name="log">The log for failures.</param>
public sealed class HeapTrimmer(
    Func<long> resident, Func<long> cached, Func<long> budget, TimeProvider time, ILogger<HeapTrimmer> log) : BackgroundService
{
    /// <summary>Memory that the process needs besides the caches: code, connections, allocations of requests.</summary>
    public const long RestBytes = 112L << 20;

    /// <summary>Above the budget plus this many bytes, garbage is collected in the background.</summary>
    public const long SoftBytes = 112L << 20;

    /// <summary>Above the budget plus this many bytes, the collection blocks requests, for about 20 ms.</summary>
    public const long HardBytes = 176L << 20;

    /// <summary>The minimum allocated since the last collection that justifies another, in bytes.</summary>
    public const long MinGarbageBytes = 24L << 20;

    /// <summary>The maximum allocated between two checks of an idle process, in bytes.</summary>
    public const long IdleBytes = 4L << 20;

    private static readonly TimeSpan CheckInterval = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// Idle checks after which memory is returned: after 5 s, and after 25 s, when <see cref="BlockPool"/> has freed its unused blocks.
    /// </summary>
    private const int FirstIdleCheck = 20, SecondIdleCheck = 100;

    private long _allocatedBefore;
    private long _allocatedAtCollection;
    private int _idleChecks = SecondIdleCheck;

    /// <summary>The action that a check calls for.</summary>
    public enum Step
    {
        /// <summary>No action.</summary>
        None,

        /// <summary>Collect in the background.</summary>
        Collect,

        /// <summary>Collect and block requests meanwhile.</summary>
        CollectNow,

        /// <summary>Collect, compact and return memory to the operating system; requests are blocked meanwhile.</summary>
        GiveBack,
    }

    /// <summary>Chooses the action for the present memory and load.</summary>
    /// <param name="allocated">The total that the process has allocated since its start, in bytes.</param>
    public Step Check(long allocated)
    {
        var (since, now) = (allocated - _allocatedBefore, resident());
        _allocatedBefore = allocated;
        _idleChecks = since > IdleBytes ? 0 : Math.Min(_idleChecks + 1, SecondIdleCheck + 1);
        if (_idleChecks is FirstIdleCheck or SecondIdleCheck && now > cached() + RestBytes)
            return RememberCollection(allocated, Step.GiveBack);
        if (allocated - _allocatedAtCollection < MinGarbageBytes || now <= budget() + SoftBytes) return Step.None;
        return RememberCollection(allocated, now > budget() + HardBytes ? Step.CollectNow : Step.Collect);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(CheckInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) Do(Check(GC.GetTotalAllocatedBytes()));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
        catch (IOException e)
        {
            // The operating system does not report the memory of the process.
            log.UnhandledException(e);
        }
    }

    private Step RememberCollection(long allocated, Step step)
    {
        _allocatedAtCollection = allocated;
        return step;
    }

    private static void Do(Step step)
    {
        if (step == Step.Collect) GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false);
        if (step == Step.CollectNow) GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: false);
        if (step != Step.GiveBack) return;
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        // gzip and Brotli allocate with malloc; glibc holds freed memory in per-thread arenas until malloc_trim.
        if (OperatingSystem.IsLinux() && NativeLibrary.TryGetExport(NativeLibrary.GetMainProgramHandle(), "malloc_trim", out var trim))
            Marshal.GetDelegateForFunctionPointer<TrimMalloc>(trim)(0);
    }

    private delegate int TrimMalloc(nuint pad);
}
