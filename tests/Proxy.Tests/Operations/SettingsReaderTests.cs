using Microsoft.Extensions.Configuration;
using Proxy.Operations;
using Xunit;

namespace Proxy.Tests.Operations;

public class SettingsReaderTests
{
    [Theory]
    [InlineData("00:01:00", 60)]
    [InlineData("1.00:00:00", 86_400)]
    [InlineData("00:00:00.5", 0.5)]
    [InlineData("0", 0)]
    public void ReadsDurations(string text, double seconds)
    {
        var reader = Create(text);
        Assert.Equal(TimeSpan.FromSeconds(seconds), reader.ReadDuration("Key", TimeSpan.Zero, TimeSpan.Zero, TimeSpan.MaxValue));
        Assert.Empty(reader.Errors);
    }

    [Theory]
    [InlineData("60")]
    [InlineData("soon")]
    [InlineData("-00:00:01")]
    [InlineData("00:01:01")]
    [InlineData("00:00:61")]
    public void ReportsInvalidDurations(string text)
    {
        var reader = Create(text);
        Assert.Equal(TimeSpan.FromSeconds(7), reader.ReadDuration("Key", TimeSpan.FromSeconds(7), TimeSpan.Zero, TimeSpan.FromMinutes(1)));
        Assert.Equal([$"Key = \"{text}\": a duration hh:mm:ss from 00:00:00 to 00:01:00"], reader.Errors);
    }

    [Theory]
    [InlineData("1e3")]
    [InlineData("1,000")]
    [InlineData("1.5")]
    [InlineData("99999999999999999999")]
    [InlineData("11")]
    [InlineData("0")]
    public void ReportsInvalidNumbers(string text)
    {
        var reader = Create(text);
        Assert.Equal(7, reader.ReadNumber("Key", 7, 1, 10));
        Assert.Equal([$"Key = \"{text}\": a whole number from 1 to 10"], reader.Errors);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void ReadsTheDefault_WhenASettingIsNotSet(string? text)
    {
        var reader = Create(text);
        Assert.Equal(7, reader.ReadNumber("Key", 7, 1, 10));
        Assert.True(reader.ReadFlag("Key", true));
        Assert.Equal(DayOfWeek.Friday, reader.ReadChoice("Key", DayOfWeek.Friday));
        Assert.Equal(TimeSpan.MaxValue, reader.ReadDuration("Key", TimeSpan.MaxValue, TimeSpan.Zero, TimeSpan.Zero));
        Assert.Empty(reader.Errors);
    }

    private static SettingsReader Create(string? text) => new(new ConfigurationBuilder().AddInMemoryCollection([new("Key", text)]).Build());
}
