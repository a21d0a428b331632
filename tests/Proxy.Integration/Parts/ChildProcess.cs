using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Proxy.Integration;

/// <summary>A program that runs beside the tests and ends before them, with its output.</summary>
/// <remarks>
/// Stopped by its own process id: SIGTERM, then SIGKILL after a timeout. A test host that receives SIGTERM ends its child processes,
/// too: since .NET 10 the runtime no longer turns SIGTERM into a normal exit.
/// </remarks>
public sealed class ChildProcess : IAsyncDisposable
{
    private const int MaxLines = 2000, Sigterm = 15;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly ConcurrentDictionary<ChildProcess, byte> Running = [];

    private static bool _isOver;

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = [];

    static ChildProcess()
    {
        AppDomain.CurrentDomain.ProcessExit += (_, _) => KillAll();
        // The garbage collector undoes a registration without a reference.
        foreach (var signal in new[] { PosixSignal.SIGTERM, PosixSignal.SIGHUP })
            GCHandle.Alloc(PosixSignalRegistration.Create(signal, _ => KillAll()));
    }

    private ChildProcess(Process process) => _process = process;

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>The last lines of both outputs.</summary>
    public string Log => string.Join('\n', _lines);

    public static ChildProcess Start(
        string program, IEnumerable<string> arguments, string folder, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;

        var child = new ChildProcess(new Process { StartInfo = start });
        child._process.OutputDataReceived += (_, line) => child.AddLine(line.Data);
        child._process.ErrorDataReceived += (_, line) => child.AddLine(line.Data);
        lock (Running)
        {
            ObjectDisposedException.ThrowIf(_isOver, child);
            child._process.Start();
            Running.TryAdd(child, 0);
        }

        child._process.StandardInput.Close();
        child._process.BeginOutputReadLine();
        child._process.BeginErrorReadLine();
        return child;
    }

    /// <summary>Completes when the program has ended by itself and all its output is in the log.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => _process.WaitForExitAsync(cancellationToken);

    /// <summary>Ends the program as an operator would, and completes when it is gone.</summary>
    public async Task StopAsync()
    {
        if (!Running.ContainsKey(this))
            return;
        if (!_process.HasExited)
            _ = Kill(_process.Id, Sigterm);
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
        }

        Running.TryRemove(this, out _);
    }

    /// <summary>Kills the program (SIGKILL), and completes when it is gone.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
        Running.TryRemove(this, out _);
    }

    /// <summary>Kills a program that still runs: its data go with the test, and an orderly end takes seconds.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Running.ContainsKey(this))
            await KillAsync();
        _process.Dispose();
    }

    private static void KillAll()
    {
        // A signal and an exit may coincide: the second one must not end the host before the first is done. Tests keep running
        // meanwhile, and programs started after this point would never be ended.
        lock (Running)
        {
            _isOver = true;
            foreach (var child in Running.Keys)
            {
                child._process.Kill();
                child._process.WaitForExit(Patience);
                Running.TryRemove(child, out _);
            }

            Scratch.DeleteAll();
        }
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int processId, int signal);

    private void AddLine(string? line)
    {
        if (line is null)
            return;
        _lines.Enqueue(line);
        if (_lines.Count > MaxLines)
            _lines.TryDequeue(out _);
    }
}
