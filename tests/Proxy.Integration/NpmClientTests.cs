using Xunit;

namespace Proxy.Integration;

/// <summary>The library that viewers use, in the version of OHIF and in the next one: the proxy gives it what the archive gives.</summary>
public sealed class NpmClientTests(Lab lab) : IAsyncLifetime
{
    private static readonly Series Report =
        new(new("client-stored", Archives.Doe, "20250104", "Stored by dicomweb-client"), "report", 1, "Report", new CtSlice(128), 1);

    private ProxyProcess _proxy = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        _proxy = await lab.StartProxyAsync(Cancel, ["Store:Backend=east", .. ProxyProcess.NoPrefetch]);

    public ValueTask DisposeAsync() => _proxy.DisposeAsync();

    [Theory]
    [InlineData("0.10.4")]
    [InlineData("0.11.3")]
    public async Task GetsTheSameAnswers_DirectAndThroughTheProxy(string version)
    {
        var client = await Real.RequireNpmClientAsync(version, Cancel);
        var instance = Archives.T1.Instances.First();

        var direct = await client.RunAsync(lab.East.Address, "read", instance, Tags.Json(Tags.PrivateBlob), Cancel);

        Assert.Equal(direct, await client.RunAsync(_proxy.Dicomweb, "read", instance, Tags.Json(Tags.PrivateBlob), Cancel));
    }

    [Theory]
    [InlineData("0.10.4")]
    [InlineData("0.11.3")]
    public async Task Stores_DirectAndThroughTheProxy(string version)
    {
        var client = await Real.RequireNpmClientAsync(version, Cancel);
        using var scratch = new Scratch("stored");
        var (instance, file) = (Report.Instances.Single(), Path.Combine(scratch.Folder, "report.dcm"));
        await File.WriteAllBytesAsync(file, instance.ToPart10(), Cancel);
        try
        {
            var direct = await client.RunAsync(lab.East.Address, "store", instance, file, Cancel);
            await lab.East.DeleteIfStoredAsync(Report, Cancel);

            Assert.Equal(direct, await client.RunAsync(_proxy.Dicomweb, "store", instance, file, Cancel));
        }
        finally
        {
            await lab.East.DeleteIfStoredAsync(Report, Cancel);
        }
    }
}
