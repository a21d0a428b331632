using Xunit;

namespace Proxy.Integration;

/// <summary>The library that viewers use, in the version of OHIF and in the next one: the proxy gives it what the archive gives.</summary>
public sealed class NpmClientTests(Lab lab, NpmClientTests.StoringProxy proxy) : IClassFixture<NpmClientTests.StoringProxy>
{
    private static readonly Series Report =
        new(new("client-stored", Archives.Doe, "20250104", "Stored by dicomweb-client"), "report", 1, "Report", new CtSlice(128), 1);

    private readonly ProxyProcess _proxy = proxy.Process;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>A proxy that stores into an archive.</summary>
    public sealed class StoringProxy(Lab lab) : IAsyncLifetime
    {
        public ProxyProcess Process { get; private set; } = null!;

        public async ValueTask InitializeAsync() =>
            Process = await lab.StartProxyAsync(CancellationToken.None, ["Store:Backend=east", .. ProxyProcess.NoPrefetch]);

        public async ValueTask DisposeAsync()
        {
            if (Process is not null)
                await Process.DisposeAsync();
        }
    }

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
