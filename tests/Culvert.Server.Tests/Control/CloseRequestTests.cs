using System.Text.Json;
using Culvert.Server.Control;

namespace Culvert.Server.Tests.Control;

public sealed class CloseRequestTests
{
    [Theory]
    [InlineData("""{"ids":["7/100"],"reason":"maintenance"}""", true)]
    [InlineData("""{"ids":["7"]}""", true)]
    [InlineData("""{"ids":[]}""", false)]
    [InlineData("""{"ids":null}""", false)]
    [InlineData("""{"ids":[null]}""", false)]
    [InlineData("""{"ids":["7",null]}""", false)]
    [InlineData("null", false)]
    public void Only_a_list_of_IDs_is_complete(string body, bool isComplete) =>
        Assert.Equal(isComplete, ControlApi.IsComplete(JsonSerializer.Deserialize(body, ControlJson.Default.CloseRequest)));
}
