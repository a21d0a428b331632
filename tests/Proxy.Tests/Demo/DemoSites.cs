using System.Net.Http.Headers;
using System.Text.Json;
using Proxy.Demo;
using Xunit;

namespace Proxy.Tests.Demo;

/// <summary>Both demo PACS and a client that sends requests like a viewer.</summary>
public sealed class DemoSites : IAsyncDisposable
{
    private readonly HttpClient _client = new(new SocketsHttpHandler());

    private DemoSites(DemoPacs east, DemoPacs west) => (East, West) = (east, west);

    public DemoPacs East { get; }

    public DemoPacs West { get; }

    public static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task<DemoSites> StartAsync(DemoLine? line = null, TimeProvider? time = null) => new(
        await DemoPacs.StartAsync(DemoArchive.East, line, time, Cancellation),
        await DemoPacs.StartAsync(DemoArchive.West, line, time, Cancellation));

    /// <summary>The path of a series by its key.</summary>
    public static string Series(string study, string series) => $"/studies/{DemoUid.Create(study)}/series/{DemoUid.Create(study, series)}";

    /// <summary>The path of an instance by its key.</summary>
    public static string Instance(string study, string series, int number) =>
        $"{Series(study, series)}/instances/{DemoUid.Create(study, series, $"{number}")}";

    public Task<HttpResponseMessage> AskAsync(DemoPacs pacs, string path, string? accept = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, pacs.Address + path);
        if (accept is not null) request.Headers.Accept.Add(MediaTypeWithQualityHeaderValue.Parse(accept));
        return _client.SendAsync(request, Cancellation);
    }

    /// <summary>The datasets of an answer, which must be 200.</summary>
    public async Task<JsonElement[]> AskDatasetsAsync(DemoPacs pacs, string path)
    {
        using var answer = await AskAsync(pacs, path);
        Assert.Equal(System.Net.HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("application/dicom+json", answer.Content.Headers.ContentType!.MediaType);
        var body = await answer.Content.ReadAsByteArrayAsync(Cancellation);
        Assert.Equal(body.Length, answer.Content.Headers.ContentLength);
        return [.. JsonDocument.Parse(body).RootElement.EnumerateArray()];
    }

    /// <summary>The bytes of one frame or bulk data, requested as a single part.</summary>
    public async Task<byte[]> AskBytesAsync(DemoPacs pacs, string path)
    {
        using var answer = await AskAsync(pacs, path, "application/octet-stream");
        answer.EnsureSuccessStatusCode();
        return await answer.Content.ReadAsByteArrayAsync(Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await East.DisposeAsync();
        await West.DisposeAsync();
    }
}
