using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Proxy.Cache;
using Proxy.Operations;
using Proxy.Operations.Output;

namespace Proxy.Retrieve;

/// <summary>The output of a multipart answer of unknown length, which sends the bodies of its parts without a copy.</summary>
/// <remarks>
/// <code>
/// size CRLF  part head, body  CRLF     a cached body: one chunk (RFC 9112 §7.1)
/// size CRLF  piece            CRLF     a body in flight: one chunk for each piece, the first with the part head
/// 0 CRLF CRLF                          after the closing delimiter only
/// </code>
/// The server writes a chunk around each of its own blocks of 4 KiB, into which it copies the body. So the chunks are written here in
/// HTTP/1.1 without TLS. An answer that ends without its last chunk is incomplete for the client.
/// </remarks>
internal sealed class PartsOutput
{
    private static readonly byte[] LineEnd = "\r\n"u8.ToArray();

    private readonly HttpContext _context;
    private readonly PipeWriter _output;
    private readonly ResponseSteps _steps;
    private readonly bool _writesChunks;

    private PartsOutput(HttpContext context, bool writesChunks)
    {
        (_context, _output, _writesChunks) = (context, context.Response.BodyWriter, writesChunks);
        _steps = context.RequestServices.GetRequiredService<ResponseSteps>();
    }

    /// <summary>Starts the answer.</summary>
    /// <param name="context">The request; its answer has its other headers.</param>
    public static async Task<PartsOutput> StartAsync(HttpContext context)
    {
        var writesChunks = HttpProtocol.IsHttp11(context.Request.Protocol) && context.FindFeature<ITlsConnectionFeature>() is null
            && context.FindFeature<ConnectionOutput>() is not null;
        // The server leaves the coding to the application that names it.
        if (writesChunks)
        {
            context.Response.Headers.TransferEncoding = "chunked";
            context.SetFeature(OwnChunks.Mark);
        }
        await context.Response.StartAsync(context.RequestAborted);
        return new(context, writesChunks);
    }

    /// <summary>Sends a part; a body in flight as it arrives.</summary>
    /// <param name="head">The delimiter and headers in front of the body.</param>
    /// <param name="body">The body.</param>
    /// <exception cref="TruncatedBodyException">The backend or the disk failed; the client's connection must be closed.</exception>
    public async Task WriteAsync(byte[] head, IBody body)
    {
        if (!_writesChunks || body is ICachedBody)
        {
            if (body is ICachedBody { Length: var length }) BeginChunk(head.Length + length);
            _output.Write(head);
            await BodyCopy.ToClientAsync(_context, body, _writesChunks ? LineEnd : default);
            return;
        }
        var piece = await body.ReadAsync(_context.RequestAborted);
        do
        {
            BeginChunk(head.Length + piece.Length);
            _output.Write(head);
            await _steps.WriteAsync(_context, piece, LineEnd);
            head = [];
        }
        while (!(piece = await body.ReadAsync(_context.RequestAborted)).IsEmpty);
    }

    /// <summary>Ends the answer.</summary>
    /// <param name="end">The closing delimiter.</param>
    public async Task EndAsync(byte[] end)
    {
        BeginChunk(end.Length);
        _output.Write(end);
        if (_writesChunks) _output.Write("\r\n0\r\n\r\n"u8);
        await _output.FlushAsync(_context.RequestAborted);
    }

    private void BeginChunk(long bytes)
    {
        if (_writesChunks) _output.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{bytes:x}\r\n")));
    }
}
