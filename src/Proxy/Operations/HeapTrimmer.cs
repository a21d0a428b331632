using System.Runtime.InteropServices;

namespace Proxy.Operations;

/// <summary>
/// Collects garbage before the process is larger than it may be, and gives memory back to the system when the load is over.
/// </summary>
/// <remarks>
/// Bodies are large arrays. The runtime collects these when it finds that worth its time, which may be a gigabyte later,
/// and an idle process never: nothing is allocated that would start a collection.
/// </remarks>
/// <param name="resident">The memory that the process has, in bytes.</param>
/// <param name="kept">What of it the caches hold on purpose, in bytes.</param>
/// <param name="budget">What these may hold at most, in bytes.</param>
/// <param name="time">The clock.</param>
/// <param name="log">Where faults go.</param>
public sealed class HeapTrimmer(
    Func<long> resident, Func<long> kept, Func<long> budget, TimeProvider time, ILogger<HeapTrimmer> log) : BackgroundService
{
    /// <summary>What the process needs beside the caches: code, connections, what requests allocate.</summary>
    public const long RestBytes = 112L << 20;

    /// <summary>Beyond the budget and this much more, garbage is collected behind the requests.</summary>
    public const long SoftBytes = 112L << 20;

    /// <summary>Beyond the budget and this much more, requests wait for that: some 20 ms.</summary>
    public const long HardBytes = 176L << 20;

    /// <summary>Below this nothing was allocated that would be worth a collection, in bytes.</summary>
    public const long LeastGarbageBytes = 24L << 20;

    /// <summary>With less between two looks nobody is served anything large, in bytes.</summary>
    public const long IdleBytes = 4L << 20;

    private static readonly TimeSpan CheckInterval = TimeSpan.FromMilliseconds(250);

    /// <summary>Looks without load after which memory is given back: 5 s, and 25 s, when the server's blocks are given up too.</summary>
    private const int FirstIdleCheck = 20, SecondIdleCheck = 100;

    private long _allocatedBefore;
    private long _allocatedAtCollection;
    private int _idleChecks = SecondIdleCheck;

    /// <summary>What is to be done about the heap now.</summary>
    public enum Step
    {
        /// <summary>Nothing.</summary>
        None,

        /// <summary>Collect behind the requests.</summary>
        Collect,

        /// <summary>Collect; requests wait.</summary>
        CollectNow,

        /// <summary>Collect, compact and give back to the system; nobody is served.</summary>
        GiveBack,
    }

    /// <summary>One look.</summary>
    /// <param name="allocated">What the process has allocated since its start, in bytes.</param>
    public Step Check(long allocated)
    {
        var (since, now) = (allocated - _allocatedBefore, resident());
        _allocatedBefore = allocated;
        _idleChecks = since > IdleBytes ? 0 : Math.Min(_idleChecks + 1, SecondIdleCheck + 1);
        if (_idleChecks is FirstIdleCheck or SecondIdleCheck && now > kept() + RestBytes) return Collected(allocated, Step.GiveBack);
        if (allocated - _allocatedAtCollection < LeastGarbageBytes || now <= budget() + SoftBytes) return Step.None;
        return Collected(allocated, now > budget() + HardBytes ? Step.CollectNow : Step.Collect);
    }

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
            // The system does not say how much memory the process has.
            log.RequestFailed(e);
        }
    }

    private Step Collected(long allocated, Step step)
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
        // What gzip and Brotli had is the C library's; glibc keeps it in each thread's arena until it is told to let go.
        if (OperatingSystem.IsLinux() && NativeLibrary.TryGetExport(NativeLibrary.GetMainProgramHandle(), "malloc_trim", out var trim))
            Marshal.GetDelegateForFunctionPointer<TrimMalloc>(trim)(0);
    }

    private delegate int TrimMalloc(nuint pad);
}
