using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>An event as a client received it.</summary>
public sealed record ReceivedEvent(string Id, string Name, JsonNode Data);

/// <summary>A client of <c>/events</c> that reads the stream like a browser's EventSource, and strictly.</summary>
public sealed class Listener : IDisposable
{
    private readonly ConcurrentQueue<ReceivedEvent> _events = new();
    private int _beats;

    private Listener(HttpResponseMessage response)
    {
        Response = response;
        Ended = ReadAsync();
    }

    public HttpResponseMessage Response { get; }

    public IReadOnlyCollection<ReceivedEvent> Events => _events;

    public IEnumerable<string> Names => _events.Select(h => h.Name);

    /// <summary>The id that a reconnect sends in <c>Last-Event-ID</c>.</summary>
    public string LastId { get; private set; } = "";

    public int Beats => Volatile.Read(ref _beats);

    /// <summary>Completes when the stream ends in good order; a reset connection faults it.</summary>
    public Task Ended { get; }

    public static async Task<Listener> OpenAsync(ProxyHost proxy, string query = "", string? lastId = null)
    {
        var response = await proxy.OpenAsync("/events" + query, lastId is null ? [] : [("Last-Event-ID", lastId)]);
        Assert.True(response.IsSuccessStatusCode, response.StatusCode.ToString());
        return new(response);
    }

    public void Dispose() => Response.Dispose();

    private async Task ReadAsync()
    {
        using var lines = new StreamReader(await Response.Content.ReadAsStreamAsync());
        var block = new List<string>();
        while (await lines.ReadLineAsync() is { } line)
        {
            if (line.Length > 0)
            {
                block.Add(line);
                continue;
            }
            Take(block);
            block.Clear();
        }
        Assert.Empty(block);
    }

    private void Take(List<string> block)
    {
        string[] expected = block[0] switch
        {
            ":" => [":", "id: "],
            "retry: 2000" => ["retry: 2000", "id: "],
            _ => [
            "id: ", "event: ", "data: {"]
        };
        Assert.Equal(expected.Length, block.Count);
        Assert.All(expected.Zip(block), pair => Assert.StartsWith(pair.First, pair.Second));
        LastId = block.Find(line => line.StartsWith("id: ", StringComparison.Ordinal))!["id: ".Length..];
        if (block[0] == ":") Interlocked.Increment(ref _beats);
        if (block.Count == 3) _events.Enqueue(new(LastId, block[1]["event: ".Length..], JsonNode.Parse(block[2]["data: ".Length..])!));
    }
}
