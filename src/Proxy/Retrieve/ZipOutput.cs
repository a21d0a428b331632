using System.Buffers;
using System.IO.Pipelines;
using Proxy.Backends.Transport;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>The stream below a ZIP file that is written to a client.</summary>
/// <remarks>
/// Headers are collected and sent with the next piece of a file. <see cref="System.IO.Compression.ZipArchive"/> writes some of them
/// synchronously, which the server refuses, and ends a file in each dispose, also after a failure.
/// </remarks>
/// <param name="output">The output of a started answer.</param>
/// <param name="steps">Bounds the memory of slow clients.</param>
/// <param name="stopped">Cancelled when the client disconnects.</param>
internal sealed class ZipOutput(PipeWriter output, ResponseSteps steps, CancellationToken stopped) : WriteOnlyStream
{
    /// <summary>Longer writes wait for the client: a header has at most some hundred bytes.</summary>
    private const int MaxHeaderBytes = 4096;

    private int _pending;
    private bool _isBroken;

    /// <summary>From now on nothing is sent: the end of an entry or of the file would make a truncated answer look whole.</summary>
    public void Break() => _isBroken = true;

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.Length <= MaxHeaderBytes)
        {
            Write(buffer.Span);
            if (_pending > ResponseSteps.SmallBytes) await SendAsync(cancellationToken);
        }
        else if (!_isBroken)
        {
            await steps.WriteAsync(output, buffer, default, cancellationToken);
            _pending = 0;
        }
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (buffer.Length > MaxHeaderBytes) throw new NotSupportedException("Only headers are written synchronously.");
        if (_isBroken) return;
        output.Write(buffer);
        _pending += buffer.Length;
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await SendAsync(stopped);
        await base.DisposeAsync();
    }

    private async Task SendAsync(CancellationToken cancellation)
    {
        _pending = 0;
        if (!_isBroken) await output.FlushAsync(cancellation);
    }
}
