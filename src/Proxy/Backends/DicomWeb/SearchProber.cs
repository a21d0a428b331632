using System.Net;
using Proxy.Backends.Queries;
using Proxy.Dicom;

namespace Proxy.Backends.DicomWeb;

/// <summary>Finds out how a backend reads searches, with searches whose answers are known.</summary>
internal sealed class SearchProber(BackendClient client)
{
    /// <summary>The number of rows for an object that does not exist that prove that a backend ignores searches.</summary>
    private const int MinStrangers = 2;

    private const string AnyStudy = "studies?limit=1";

    /// <summary>
    /// Whether a backend ignores searches: it answers a search for an object that does not exist with rows. One row proves nothing, because
    /// a broken backend may send one row of another study.
    /// </summary>
    /// <returns>Null when the answer does not show it.</returns>
    public async Task<bool?> IgnoresMatchesAsync(
        SearchQuery query, BackendOptions backend, CancellationToken deadline, CancellationToken cancellation) =>
        await CountAsync(query.ForNothing().ToRequest(MinStrangers), query.Study, backend, deadline, cancellation) switch
        {
            0 => false,
            >= MinStrangers => true,
            _ => null,
        };

    /// <summary>
    /// Whether a backend decodes a query (RFC 3986 §2.1): it then reads <c>%2A</c> as an asterisk, which matches every name. Orthanc 1.10
    /// does not.
    /// </summary>
    /// <returns>Null when the answers do not show it.</returns>
    public async Task<bool?> DecodesAsync(BackendOptions backend, CancellationToken deadline, CancellationToken cancellation) =>
        await CountAsync(AnyStudy + "&PatientName=%2A", study: null, backend, deadline, cancellation) switch
        {
            > 0 => true,
            0 when await CountAsync(AnyStudy + "&PatientName=*", study: null, backend, deadline, cancellation) > 0 => false,
            _ => null,
        };

    /// <summary>The number of rows of an answer, up to <see cref="MinStrangers"/>; null when the request failed.</summary>
    private async Task<int?> CountAsync(
        string request, Uid? study, BackendOptions backend, CancellationToken deadline, CancellationToken cancellation)
    {
        var answer = await client.AskAsync(
            backend,
            new(request, MediaType.DicomJson)
            {
                Target = study is { } uid ? new(uid) : null,
                IsMissing = status => study is not null && status is HttpStatusCode.NotFound or HttpStatusCode.Gone,
            },
            async (response, stopped) => await response.ReadRowsAsync(stopped).Take(MinStrangers).CountAsync(stopped), deadline,
            cancellation);
        return answer.Failure is not null ? null : answer.IsFound ? answer.Value : 0;
    }
}
