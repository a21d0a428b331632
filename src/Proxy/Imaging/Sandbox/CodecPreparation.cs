using System.Runtime.InteropServices;
using Proxy.Operations;
using Wasmtime;

namespace Proxy.Imaging.Sandbox;

/// <summary>Prepares the codecs after the start, in the background, and says at the start when they cannot run on this platform.</summary>
/// <param name="prepares">True to compile the codecs; false to leave that to their first use.</param>
/// <param name="pool">Gets the module.</param>
/// <param name="time">The clock.</param>
/// <param name="log">Logs that the codecs cannot run.</param>
internal sealed class CodecPreparation(bool prepares, CodecPool pool, TimeProvider time, ILogger<CodecPreparation> log)
    : BackgroundService
{
    /// <summary>The first requests of the viewers are served before the processors are busy with compiling.</summary>
    private static readonly TimeSpan Delay = TimeSpan.FromSeconds(30);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!NativeLibrary.TryLoad("wasmtime", typeof(Engine).Assembly, null, out _))
        {
            log.CodecsMissing();
            return;
        }
        if (!prepares) return;
        try
        {
            await Task.Delay(Delay, time, stoppingToken);
            await Task.Factory.StartNew(
                pool.WarmUp, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        catch (OperationCanceledException)
        {
            // The process is stopping.
        }
    }
}
