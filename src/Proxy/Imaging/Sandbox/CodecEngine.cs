using Wasmtime;

namespace Proxy.Imaging.Sandbox;

/// <summary>
/// Wasmtime with the compiled module of codecs. A process has one: Wasmtime installs signal handlers, and the code takes 20 MB.
/// </summary>
/// <remarks>
/// Compiled by Cranelift, without threads. Code of the module checks the epoch of the engine at every loop and call, and traps after
/// its deadline; a thread of our own counts the epoch, because timers wait while the thread pool is busy.
/// </remarks>
internal sealed class CodecEngine
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(50);

    private static readonly Lock Creation = new();

    private static CodecEngine? _shared;

    private readonly ManualResetEventSlim _isRunning = new();
    private readonly ManualResetEventSlim _never = new();
    private int _running;

    private CodecEngine(CompiledModule compiled)
    {
        using var config = new Config().WithEpochInterruption(true).WithWasmThreads(false).WithCompilerStrategy(CompilerStrategy.Cranelift);
        Engine = new(config);
        try
        {
            Module = compiled.Load(Engine);
        }
        catch
        {
            Engine.Dispose();
            throw;
        }
        new Thread(CountEpochs) { IsBackground = true, Name = "codec epochs" }.Start();
    }

    /// <summary>Compiles and runs modules.</summary>
    public Engine Engine { get; }

    /// <summary>The module of codecs.</summary>
    public Module Module { get; }

    /// <summary>The engine of this process. The first call compiles the module, which takes seconds, or loads it from disk.</summary>
    /// <exception cref="WasmtimeException">The engine does not run here.</exception>
    public static CodecEngine Get(CompiledModule compiled)
    {
        lock (Creation) return _shared ??= new(compiled);
    }

    /// <summary>The epochs of a duration.</summary>
    public static ulong GetTicks(TimeSpan duration) => (ulong)Math.Ceiling(duration / Tick) + 1;

    /// <summary>Counts the epoch until the result is disposed. Code of the module must run only meanwhile.</summary>
    public Counting Count()
    {
        if (Interlocked.Increment(ref _running) == 1) _isRunning.Set();
        return new(this);
    }

    private void CountEpochs()
    {
        while (true)
        {
            _isRunning.Wait();
            if (Volatile.Read(ref _running) == 0)
            {
                _isRunning.Reset();
                // A call that began in between has not seen the reset.
                if (Volatile.Read(ref _running) > 0) _isRunning.Set();
                continue;
            }
            _never.Wait(Tick);
            Engine.IncrementEpoch();
        }
    }

    /// <summary>The time in which the epoch is counted.</summary>
    public readonly struct Counting(CodecEngine engine) : IDisposable
    {
        /// <summary>Ends it.</summary>
        public void Dispose() => Interlocked.Decrement(ref engine._running);
    }
}
