using System.Globalization;
using System.Net;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Wire;

namespace Proxy.Admin.Testing;

/// <summary>The answer to one request of a test: a status with the start of its body, or a failure.</summary>
internal sealed record TestAnswer
{
    /// <summary>Why there is no answer; null when there is one.</summary>
    public BackendFailure? Failure { get; init; }

    /// <summary>The status; 304 only for a conditional request.</summary>
    public HttpStatusCode Status { get; init; }

    /// <summary>The media type; null when the answer has none.</summary>
    public MediaType? Type { get; init; }

    /// <summary>The start of the body, or all of it.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>Whether the body is whole; a longer one is not read further.</summary>
    public bool IsWhole { get; init; } = true;

    /// <summary>The validators; null when the backend sent none.</summary>
    public Validators? Validators { get; init; }

    /// <summary>The <c>Server</c> header; null when the backend sent none.</summary>
    public string? Server { get; init; }

    /// <summary>The time from the request to the last byte that was read.</summary>
    public TimeSpan Took { get; init; }

    /// <summary>The body as text.</summary>
    public string Text => System.Text.Encoding.UTF8.GetString(Body.Span);

    /// <summary>The outcome in a few words, such as <c>200 in 4 ms</c>.</summary>
    public string Summary => Failure is { } failure
        ? failure.Summary
        : string.Create(CultureInfo.InvariantCulture, $"{(int)Status} in {Took.TotalMilliseconds:0} ms");

    /// <summary>What the body is, in words: the status alone proves nothing.</summary>
    public string Kind =>
        Failure is { } failure ? failure.Summary
        : Status != HttpStatusCode.OK ? string.Create(CultureInfo.InvariantCulture, $"status {(int)Status}")
        : Type?.Type.Contains("html", StringComparison.OrdinalIgnoreCase) == true || Body.Span.TrimStart(" \r\n\t"u8).StartsWith("<"u8)
            ? "an HTML page"
        : Body.IsEmpty ? "an empty body"
        : "a body that is not DICOM JSON";

    /// <summary>The datasets of DICOM JSON; of a body that was cut, those before the cut. Null when it is not DICOM JSON.</summary>
    /// <param name="max">The most datasets.</param>
    /// <param name="cancellation">Cancels the reading.</param>
    public async Task<IReadOnlyList<Dataset>?> FindDatasetsAsync(int max, CancellationToken cancellation)
    {
        if (Failure is not null) return null;
        if (Status == HttpStatusCode.NoContent) return [];
        if (Status != HttpStatusCode.OK || Type is not { Type: MediaType.DicomJson or "application/json" or MediaType.OctetStream })
            return null;
        var found = new List<Dataset>();
        try
        {
            using var body = new MemoryStream(Body.ToArray(), writable: false);
            await foreach (var dataset in DicomJsonReader.ReadAsync(body, cancellation))
            {
                if (found.Count == max) break;
                found.Add(dataset);
            }
            return found;
        }
        catch (MalformedAnswerException)
        {
            return IsWhole || found.Count == 0 ? null : found;
        }
    }
}
