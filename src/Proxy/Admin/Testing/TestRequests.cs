using Proxy.Backends;
using Proxy.Backends.DicomWeb;
using Proxy.Metadata;

namespace Proxy.Admin.Testing;

/// <summary>Sends the requests of one test to one backend, with the connections and the credential of all requests of the proxy.</summary>
/// <remarks>
/// An open circuit stops no test, and a failure of a test is no evidence against the backend. Every answer is limited in time and bytes.
/// </remarks>
/// <param name="exchange">Sends a request.</param>
/// <param name="backend">The backend.</param>
/// <param name="time">The clock.</param>
/// <param name="ending">The end of the test.</param>
internal sealed class TestRequests(BackendExchange exchange, BackendOptions backend, TimeProvider time, CancellationToken ending)
{
    /// <summary>The largest answer that is read: an uncompressed frame of a mammogram has 30 MB, but its start is enough.</summary>
    public const int MaxBytes = 8 * 1024 * 1024;

    /// <summary>The time limit of one request, unless the timeout of the backend is shorter.</summary>
    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(10);

    /// <summary>A shorter answer says nothing about the rate.</summary>
    private const int MinRateBytes = 32 * 1024;

    private (long Bytes, TimeSpan Took) _largest;

    /// <summary>The rate of the largest answer so far, in bytes per second; null when none was large enough.</summary>
    public long? BytesPerSecond =>
        _largest.Bytes >= MinRateBytes && _largest.Took > TimeSpan.Zero ? (long)(_largest.Bytes / _largest.Took.TotalSeconds) : null;

    /// <summary>Sends a request and reads the answer with any status.</summary>
    /// <param name="request">The request.</param>
    public async Task<TestAnswer> AskAsync(BackendRequest request)
    {
        request = request with { IsAnswer = static _ => true, IsMissing = static _ => false, Scope = FailureScope.Probe };
        using var late = new CancellationTokenSource(backend.Timeout < MaxTime ? backend.Timeout : MaxTime, time);
        var began = time.GetTimestamp();
        var answer = await exchange.RunAsync(backend, request, ReadAsync, needsPermit: false, late.Token, ending);
        var took = time.GetElapsedTime(began);
        if (answer.Failure is { } failure) return new() { Failure = failure, Took = took };
        if (answer.IsUnchanged) return new() { Status = System.Net.HttpStatusCode.NotModified, Took = took };
        if (!answer.IsFound) return new() { Status = System.Net.HttpStatusCode.NoContent, Took = took };
        if (answer.Value.Body.Length > _largest.Bytes) _largest = (answer.Value.Body.Length, took);
        return answer.Value with { Took = took };
    }

    /// <summary>Sends a request for DICOM JSON.</summary>
    /// <param name="path">The path and query below the root.</param>
    /// <param name="validators">The validators of an earlier answer; null for an unconditional request.</param>
    /// <param name="rootPath">The path of another root on the same server; null for the configured root.</param>
    public Task<TestAnswer> AskForJsonAsync(string path, Validators? validators = null, string? rootPath = null) =>
        AskAsync(new(path, Dicom.MediaType.DicomJson) { Validators = validators, RootPath = rootPath });

    private static async Task<TestAnswer> ReadAsync(BackendResponse response, CancellationToken cancellation)
    {
        using var body = new MemoryStream();
        var piece = new byte[64 * 1024];
        var isWhole = false;
        while (body.Length < MaxBytes && !isWhole)
        {
            var count = await response.Body.ReadAsync(piece, cancellation);
            body.Write(piece, 0, count);
            isWhole = count == 0;
        }
        if (isWhole && response.Length is { } length && length != body.Length)
            throw new Wire.MalformedAnswerException("The body is shorter than its Content-Length.");
        return new()
        {
            Status = response.Status,
            Type = response.ContentType,
            Body = body.ToArray(),
            IsWhole = isWhole,
            Validators = response.Validators,
            Server = response.Server,
        };
    }
}
