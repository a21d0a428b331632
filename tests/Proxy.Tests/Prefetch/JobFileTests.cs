using System.Text.Json;
using System.Text.Json.Serialization;
using Proxy.Prefetch;
using Proxy.Prefetch.Jobs;
using Xunit;

namespace Proxy.Tests.Prefetch;

public sealed class JobFileTests
{
    private static readonly JsonSerializerOptions Format = new() { Converters = { new JsonStringEnumConverter() } };

    /// <summary>The names are a file format: jobs of older versions must stay readable.</summary>
    [Fact]
    public void KeepsTheNamesOfTheFileFormat()
    {
        var job = new PrefetchJob("7", PrefetchReason.Next, PrefetchPriority.Next, "", [], default);

        var json = JsonSerializer.SerializeToElement(job, Format);

        Assert.Equal(("Next", "Next"), (json.GetProperty("Why").GetString(), json.GetProperty("Rank").GetString()));
    }
}
