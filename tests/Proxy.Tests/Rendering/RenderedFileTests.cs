using Proxy.Cache;
using Proxy.Rendering.Making;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Rendering;

public sealed class RenderedFileTests
{
    [Fact]
    public async Task ReachesAReader_WhenItDoesNotFitInMemory()
    {
        var stopped = TestContext.Current.CancellationToken;
        var body = new InFlightBody(1024 * 1024);
        using var reader = body.Join()!;
        using var file = new RenderedFile("image/png", new byte[8 * 1024 * 1024]);

        var copying = file.CopyToAsync(body, stopped);
        await reader.ReadHeadAsync(stopped).WaitAsync(Until.Patience, TimeProvider.System, stopped);
        long read = 0;
        while (read < file.Bytes.Length) read += (await reader.ReadAsync(stopped)).Length;

        Assert.Equal("image/png", (await copying).MediaType);
    }
}
